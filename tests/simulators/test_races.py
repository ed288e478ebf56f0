"""Data races are told with both places; what any synchronisation orders is none."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anyio.to_thread
import pytest

from runtime import flow, task
from runtime.futures import wait
from simulators import FailureFound, access, check, explore, replay

Code = Callable[[], object]


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

    def deposit(self) -> None:
        self.balance += 1


def updated_without_a_lock() -> None:
    account = Account()
    together(account.deposit, account.deposit)


def read_while_written() -> None:
    account = Account()
    together(account.deposit, lambda: account.balance)


def written_before_sleep_is_over() -> None:
    account = Account()

    def look() -> None:
        time.sleep(60)
        assert account.balance == 1

    together(account.deposit, look)


def a_dictionary_that_grows_while_it_is_counted() -> None:
    rows: dict[str, int] = {}
    together(lambda: rows.update(a=1), lambda: len(rows))


def locks_of_their_own() -> None:
    account = Account()

    def deposit() -> None:
        with threading.Lock():
            account.deposit()

    together(deposit, deposit)


def given_back_too_early() -> None:
    account, lock = Account(), threading.Lock()

    def deposit() -> None:
        with lock:
            seen = account.balance
        account.balance = seen + 1

    together(deposit, deposit)


@task
def deposit(account: Account) -> None:
    account.deposit()


def tasks_of_a_flow() -> None:
    @flow
    def deposits() -> None:
        account = Account()
        wait([deposit.submit(account), deposit.submit(account)])

    deposits()


def a_thread_beside_a_loop() -> None:
    account = Account()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(account.deposit))
            await asyncio.sleep(0)
            account.deposit()

    asyncio.run(main())


RACES = [
    updated_without_a_lock,
    read_while_written,
    written_before_sleep_is_over,
    a_dictionary_that_grows_while_it_is_counted,
    locks_of_their_own,
    given_back_too_early,
    tasks_of_a_flow,
    a_thread_beside_a_loop,
]


@pytest.mark.parametrize("strategy", ["dpor", "random"])
@pytest.mark.parametrize("test", RACES, ids=lambda test: test.__name__)
def test_what_nothing_orders_is_a_race(test, strategy):
    exploration = explore(test, strategy=strategy, points="accesses", schedules=20)

    assert exploration.races
    assert not exploration.failures
    for race in exploration.races:
        assert race.first.run != race.second.run
        assert race.first.writes or race.second.writes
        assert race.first.stack[-1] == f"{race.first.place} in {race.first.function}"
        assert race.second.stack[-1] == f"{race.second.place} in {race.second.function}"


def one_after_the_other() -> None:
    account = Account()
    for _ in range(2):
        together(account.deposit)
    assert account.balance == 2


def behind_a_lock() -> None:
    account, lock = Account(), threading.Lock()

    def deposit() -> None:
        with lock:
            account.deposit()

    together(deposit, deposit)


def behind_a_lock_that_is_tried() -> None:
    account, lock = Account(), threading.Lock()

    def deposit() -> None:
        while not lock.acquire(timeout=1):
            pass
        account.deposit()
        lock.release()

    together(deposit, deposit)


def handed_over_by_an_event() -> None:
    account, done = Account(), threading.Event()

    def give() -> None:
        account.deposit()
        done.set()

    def take() -> None:
        done.wait()
        account.deposit()

    together(give, take)


def seen_to_be_done() -> None:
    account, done = Account(), threading.Event()

    def give() -> None:
        account.deposit()
        done.set()

    def take() -> None:
        if done.is_set():
            account.deposit()

    together(give, take)


def handed_over_by_a_queue() -> None:
    accounts: queue.Queue[Account] = queue.Queue()

    def give() -> None:
        account = Account()
        account.deposit()
        accounts.put(account)

    together(give, lambda: accounts.get().deposit())


def met_at_a_barrier() -> None:
    one, other = Account(), Account()
    barrier = threading.Barrier(2)

    def work(mine: Account, theirs: Account) -> None:
        mine.deposit()
        barrier.wait()
        assert theirs.balance == 1

    together(lambda: work(one, other), lambda: work(other, one))


def told_by_a_condition() -> None:
    account, told = Account(), threading.Condition()

    def give() -> None:
        with told:
            account.deposit()
            told.notify()

    def take() -> None:
        with told:
            while not account.balance:
                told.wait()
            account.deposit()

    together(take, give)


def from_a_pool() -> None:
    account = Account()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(account.deposit).result()
        pool.submit(account.deposit).result()
    assert account.balance == 2


def results_of_tasks() -> None:
    @task
    def passed_on(account: Account) -> Account:
        account.deposit()
        return account

    @flow
    def deposits() -> None:
        future = passed_on.submit(passed_on.submit(Account()))
        future.result().deposit()

    deposits()


def a_task_that_is_tried_again() -> None:
    account = Account()

    @task(retries=1, retry_delay_seconds=10)
    def fragile() -> None:
        account.deposit()
        if account.balance < 2:
            raise OSError

    @flow
    def deposits() -> None:
        fragile.submit().result()
        assert account.balance == 2

    deposits()


def steps_of_one_loop() -> None:
    account = Account()

    async def step() -> None:
        account.deposit()
        await asyncio.sleep(0)
        account.deposit()

    async def main() -> None:
        await asyncio.gather(step(), step())

    asyncio.run(main())


def from_a_loop_to_a_thread_and_back() -> None:
    account = Account()

    async def main() -> None:
        account.deposit()
        await asyncio.to_thread(account.deposit)
        await anyio.to_thread.run_sync(account.deposit)
        account.deposit()

    asyncio.run(main())


def called_in_a_loop_from_outside() -> None:
    account = Account()

    async def main() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def give() -> None:
            account.deposit()
            loop.call_soon_threadsafe(told.set)

        thread = threading.Thread(target=give)
        thread.start()
        await told.wait()
        account.deposit()
        thread.join()

    asyncio.run(main())


def a_timer() -> None:
    account = Account()
    account.deposit()
    timer = threading.Timer(5, account.deposit)
    timer.start()
    timer.join()
    account.deposit()


ORDERED = [
    one_after_the_other,
    behind_a_lock,
    behind_a_lock_that_is_tried,
    handed_over_by_an_event,
    seen_to_be_done,
    handed_over_by_a_queue,
    met_at_a_barrier,
    told_by_a_condition,
    from_a_pool,
    results_of_tasks,
    a_task_that_is_tried_again,
    steps_of_one_loop,
    from_a_loop_to_a_thread_and_back,
    called_in_a_loop_from_outside,
    a_timer,
]


@pytest.mark.parametrize("strategy", ["dpor", "random"])
@pytest.mark.parametrize("test", ORDERED, ids=lambda test: test.__name__)
def test_what_anything_orders_is_no_race(test, strategy):
    exploration = explore(test, strategy=strategy, points="accesses", schedules=20)

    assert not exploration.failures
    assert exploration.races == []


def test_declared_accesses_race_too():
    def update() -> None:
        access("row 7")
        access("row 7", write=True)

    exploration = explore(lambda: together(update, update), strategy="dpor", points="declared")

    assert {race.thing for race in exploration.races} == {"row 7"}
    assert len(exploration.races) == 2
    assert all("test_races.py:" in race.first.place for race in exploration.races)


def test_what_was_touched_has_its_name():
    total, rows = 0, {"all": 0}

    def add() -> None:
        nonlocal total
        total += 1
        rows["all"] += 1

    exploration = explore(lambda: together(add, add), strategy="dpor", points="accesses", schedules=30)

    assert {race.thing for race in exploration.races} == {"the variable total", "dict['all']"}


def lost_update() -> None:
    account = Account()
    together(account.deposit, account.deposit)
    assert account.balance == 2


def test_the_report_of_a_failure_names_the_races_in_it():
    with pytest.raises(FailureFound) as found:
        check(lost_update, strategy="dpor", points="accesses")

    failure = found.value.failure
    for report in (str(failure), failure.to_html()):
        assert "Data race on Account.balance: nothing orders these two" in report
        assert "in Account.deposit" in report
    assert replay(lost_update, failure.shrunk).races


def test_the_certificate_counts_races():
    exploration = explore(updated_without_a_lock, strategy="dpor", points="accesses")

    assert exploration.complete
    assert "2 data races" in str(exploration.certificate)
    assert str(exploration.races[0]).startswith(
        "Data race on Account.balance: nothing orders these two\n  main/"
    )
