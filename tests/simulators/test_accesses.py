"""Points before accesses: whatever others could notice is a point, and depends on what it should."""

import operator
import sys
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from runtime import flow, task
from simulators import FailureFound, check, explore, replay
from simulators.strategies import DPOR

Code = Callable[[], object]

pytestmark = pytest.mark.usefixtures("small_project")


def together(*codes: Code) -> None:
    """Each on a thread of its own, until all have ended."""
    threads = [threading.Thread(target=code) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass
class Account:
    balance: int = 0

    def deposit(self, amount: int = 1) -> None:
        self.balance += amount


class Slotted:
    __slots__ = ("balance",)

    def __init__(self) -> None:
        self.balance = 0


class Totals:
    total = 0


class Guarded:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value = 0

    def add(self) -> None:
        with self.lock:
            self.value += 1


def an_attribute() -> int:
    account = Account()
    together(account.deposit, account.deposit)
    return account.balance


def a_slot() -> int:
    slotted = Slotted()

    def add() -> None:
        slotted.balance += 1

    together(add, add)
    return slotted.balance


def an_attribute_of_a_class() -> int:
    Totals.total = 0

    def add() -> None:
        Totals.total += 1

    together(add, add)
    return Totals.total


def a_variable_that_functions_share() -> int:
    total = 0

    def add() -> None:
        nonlocal total
        total += 1

    together(add, add)
    return total


counted = 0


def a_global() -> int:
    global counted
    counted = 0

    def add() -> None:
        global counted
        counted += 1

    together(add, add)
    return counted


def an_item() -> int:
    totals = {"all": 0}

    def add() -> None:
        totals["all"] += 1

    together(add, add)
    return totals["all"]


def methods_of_a_dictionary() -> int:
    totals: dict[str, int] = {}

    def add() -> None:
        totals.update(all=totals.get("all", 0) + 1)

    together(add, add)
    return totals["all"]


def an_item_of_a_counter() -> int:
    totals: Counter[str] = Counter()

    def add() -> None:
        totals["all"] += 1

    together(add, add)
    return totals["all"]


def names_of_attributes() -> int:
    account = Account()

    def add() -> None:
        setattr(account, "balance", getattr(account, "balance") + 1)

    together(add, add)
    return account.balance


def operators() -> int:
    totals = [0]

    def add() -> None:
        operator.setitem(totals, 0, operator.getitem(totals, 0) + 1)

    together(add, add)
    return totals[0]


def whether_there_is_anything() -> int:
    rows: list[int] = []

    def add() -> None:
        if not rows:
            rows.append(1)

    together(add, add)
    return len(rows)


def how_many_there_are() -> int:
    rows: deque[int] = deque()

    def add() -> None:
        if len(rows) < 1:
            rows.append(1)

    together(add, add)
    return len(rows)


def a_member() -> int:
    seen: set[int] = set()
    added = [0, 0]

    def add(place: int) -> None:
        if 7 not in seen:
            seen.add(7)
            added[place] = 1

    together(lambda: add(0), lambda: add(1))
    return sum(added)


READ_AND_WRITTEN = [
    an_attribute,
    a_slot,
    an_attribute_of_a_class,
    a_variable_that_functions_share,
    a_global,
    an_item,
    methods_of_a_dictionary,
    an_item_of_a_counter,
    names_of_attributes,
    operators,
    whether_there_is_anything,
    how_many_there_are,
    a_member,
]


@pytest.mark.parametrize("test", READ_AND_WRITTEN, ids=lambda test: test.__name__)
def test_what_is_read_and_then_written_is_lost_in_two_of_four_traces(test):
    dpor = DPOR()

    exploration = explore(test, strategy=dpor, points="accesses")

    assert exploration.executions == 4
    assert sorted(exploration.outcomes.values()) == [2, 2]
    assert dpor.redundant == 0
    assert exploration.complete


def appended() -> tuple[int, ...]:
    rows: list[int] = []
    together(lambda: rows.append(1), lambda: rows.append(2))
    return tuple(rows)


def a_list_that_grows_in_place() -> tuple[int, ...]:
    account = Account()
    account.balance = []  # pyright: ignore[reportAttributeAccessIssue] - any list will do

    def grow(n: int) -> None:
        rows = account.balance
        rows += [n]  # pyright: ignore

    together(lambda: grow(1), lambda: grow(2))
    return tuple(account.balance)  # pyright: ignore


def behind_a_lock() -> int:
    guarded = Guarded()
    together(guarded.add, guarded.add)
    return guarded.value


@pytest.mark.parametrize(
    "test", [appended, a_list_that_grows_in_place, behind_a_lock], ids=lambda test: test.__name__
)
def test_there_are_two_orders_of_two_writes(test):
    exploration = explore(test, strategy="dpor", points="accesses")

    assert exploration.executions == 2
    assert exploration.complete


def things_of_their_own() -> None:
    def work() -> None:
        account = Account()
        rows = [account]
        for row in rows:
            row.deposit()
        assert rows[0].balance == 1

    together(work, work)


def keys_of_their_own() -> int:
    totals: defaultdict[str, int] = defaultdict(int)

    def add(name: str) -> None:
        totals[name] += 1

    together(lambda: add("a"), lambda: add("b"))
    return len(totals)


def only_read() -> None:
    account = Account()
    together(lambda: account.balance, lambda: account.balance)


@pytest.mark.parametrize(
    "test", [things_of_their_own, keys_of_their_own, only_read], ids=lambda test: test.__name__
)
def test_what_concerns_nobody_else_has_one_trace(test):
    exploration = explore(test, strategy="dpor", points="accesses")

    assert exploration.executions == 1
    assert exploration.complete


@task
def deposit(account: Account) -> None:
    account.balance += 1


@flow
def deposits() -> None:
    account = Account()
    for future in [deposit.submit(account) for _ in range(2)]:
        future.result()
    assert account.balance == 2


@pytest.mark.parametrize("strategy", ["dpor", "random"])
def test_a_lost_update_in_a_flow_is_found_and_replayed(strategy):
    with pytest.raises(FailureFound) as found:
        check(deposits, strategy=strategy, points="accesses")

    assert isinstance(replay(deposits, str(found.value.failure.shrunk)).error, AssertionError)


def call_with_spread_arguments() -> int:
    account = Account()

    def deposit(*amounts: int, **_: int) -> None:
        account.deposit(*amounts)

    together(lambda: deposit(*()), lambda: deposit(*[1], more=1))
    return account.balance


def test_calls_with_spread_arguments_have_points_too():
    exploration = explore(call_with_spread_arguments, strategy="dpor", points="accesses")

    assert exploration.executions == 4
    assert exploration.complete


def test_an_import_in_the_first_run_makes_nothing_of_later_runs_another_thing(tmp_path, monkeypatch):
    (tmp_path / "imported_late.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def test() -> None:
        import imported_late  # noqa: F401

        account = Account()
        together(account.deposit, account.deposit)

    assert explore(test, strategy="dpor", points="accesses").executions == 4
    del sys.modules["imported_late"]
