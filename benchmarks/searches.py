"""What it takes to search all orders of a small program, beside the peers that search too."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.contests import Contest, Work
from benchmarks.schedules import frontrun_is_active
from runtime import flow, task
from simulators import explore

#: how many who update, and how often each
PROGRAMS = ((2, 1), (2, 2), (3, 1))


def contests() -> Iterator[Contest]:
    """Whole searches, with everything that has to be put in place for one; nothing is left out."""
    for count, times in PROGRAMS:
        named = dict(_counted(label, search) for label, search in _searches(count, times).items())
        yield Contest(f"all orders of {count} x {times} updates", "search", 1, named, rounds=3)


def _counted(label: str, search: Callable[[], int]) -> tuple[str, Work]:
    return f"{label}: {search()} executions", search


class Account:
    def __init__(self) -> None:
        self.balance = 0


def update(account: Account, times: int) -> None:
    for _ in range(times):
        account.balance += 1


@task
def updating(account: Account, times: int) -> None:
    update(account, times)


@flow
def updates(count: int, times: int) -> None:
    account = Account()
    for future in [updating.submit(account, times) for _ in range(count)]:
        future.wait()


def threads(count: int, times: int) -> None:
    account = Account()
    started = [threading.Thread(target=update, args=(account, times)) for _ in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def _searches(count: int, times: int) -> dict[str, Callable[[], int]]:
    searches: dict[str, Callable[[], int]] = {
        "flow": partial(_searched, partial(updates, count, times)),
        "threads": partial(_searched, partial(threads, count, times)),
    }
    if frontrun_is_active():
        searches["frontrun, threads"] = partial(_searched_by_frontrun, count, times)
    return searches


def _searched(test: Callable[[], Any]) -> int:
    exploration = explore(test, strategy="dpor", points="accesses")
    if not exploration.complete:
        raise RuntimeError(str(exploration.certificate))
    return exploration.executions


def _searched_by_frontrun(count: int, times: int) -> int:
    import frontrun

    result = frontrun.explore(
        setup=Account,
        workers=lambda account: update(account, times),
        count=count,
        invariant=lambda _: True,
        stop_on_first=False,
        preemption_bound=None,
        detect_io=False,
        reproduce_on_failure=0,
    )
    return result.num_explored
