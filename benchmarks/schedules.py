"""What one schedule costs beside the peers that are installed.

Theirs run bare coroutines and bare threads; ours a whole flow with its states, futures and history.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.contests import Contest
from runtime import flow, task
from runtime.results import MemoryResultStorage, result_storage
from simulators import Points, access, explore

#: tasks and steps of the small programs
TASKS, STEPS = 2, 3


def contests() -> Iterator[Contest]:
    """Whole flows in a simulation: small ones, larger ones, and what a single step adds."""
    schedules = 200  # some peers take twenty milliseconds for one
    yield Contest(
        f"flow of {TASKS} async tasks x {STEPS} steps, random schedules",
        "schedule",
        schedules,
        {"flow": lambda: _explore(asynchronous, schedules), **_async_peers(schedules)},
        promised="at least 3,000 a CPU second (333 µs)",
    )
    yield Contest(
        f"flow of {TASKS} sync tasks x {STEPS} steps, random schedules",
        "schedule",
        schedules,
        {"flow": lambda: _explore(synchronous, schedules), **_thread_peers(schedules)},
        promised="at least 2,000 a CPU second (500 µs)",
    )
    yield Contest(
        "flow of 10 tasks with retries and caching, random schedules",
        "schedule",
        100,
        {"flow": lambda: _explore(ten_tasks_with_an_empty_cache, 100)},
        promised="at least 500 a CPU second (2,000 µs)",
    )
    for points, test in (("declared", updates), ("accesses", deposits)):
        yield Contest(
            f"flow of {TASKS} tasks that update twice, dpor at points={points}, 10 whole searches",
            "execution",
            10 * 34,
            {"flow": lambda test=test, points=points: _search(test, points)},
            # at accesses, most of it is what it takes to put the marks in, ten times
            promised="at least 1,000 a CPU second (1,000 µs)" if points == "declared" else "",
        )
    for steps in (100, 1_000):
        yield Contest(
            f"flow of {TASKS} sync tasks x {steps:,} steps, random schedules",
            "step",
            20 * TASKS * steps,
            {"flow": lambda steps=steps: _explore(lambda: long_tasks(steps), 20)},
            promised="linear; a switch at most 3 µs",
        )


def _explore(test: Callable[[], Any], schedules: int) -> None:
    exploration = explore(test, strategy="random", points="operations", schedules=schedules)
    if exploration.executions != schedules:
        raise RuntimeError(f"{exploration.executions} of {schedules} schedules")


def _search(test: Callable[[], Any], points: Points) -> None:
    for _ in range(10):
        exploration = explore(test, strategy="dpor", points=points)
        if not exploration.complete or exploration.executions != 34:
            raise RuntimeError(str(exploration.certificate))


@task
def update() -> None:
    for _ in range(2):
        access("balance")
        access("balance", write=True)


@flow
def updates() -> None:
    for future in [update.submit() for _ in range(TASKS)]:
        future.wait()


@dataclass
class Account:
    balance: int = 0


@task
def deposit(account: Account) -> None:
    account.balance += 1
    account.balance += 1


@flow
def deposits() -> None:
    account = Account()
    for future in [deposit.submit(account) for _ in range(TASKS)]:
        future.wait()


@task
async def async_steps() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


@task
def sync_steps(steps: int) -> None:
    for _ in range(steps):
        access("state", write=True)


@task(retries=1, retry_delay_seconds=60, cache_key_fn=lambda _, parameters: f"key-{parameters['n'] % 5}")
def fragile(n: int, failed: set[int]) -> int:
    access("failed", write=True)
    if n not in failed:
        failed.add(n)
        raise OSError(n)
    return n


@flow
async def asynchronous() -> None:
    for future in [async_steps.submit() for _ in range(TASKS)]:
        await future.wait_async()


@flow
def synchronous() -> None:
    for future in [sync_steps.submit(STEPS) for _ in range(TASKS)]:
        future.wait()


@flow
def long_tasks(steps: int) -> None:
    for future in [sync_steps.submit(steps) for _ in range(TASKS)]:
        future.wait()


@flow
def ten_tasks() -> None:
    failed: set[int] = set()
    for future in [fragile.submit(n, failed) for n in range(10)]:
        future.wait()


def ten_tasks_with_an_empty_cache() -> None:
    with result_storage(MemoryResultStorage()):
        ten_tasks()


async def _bare_tasks() -> None:
    await asyncio.gather(*(async_steps.fn() for _ in range(TASKS)))


def _async_peers(schedules: int) -> dict[str, Callable[[], object]]:
    peers: dict[str, Callable[[], object]] = {}
    if find_spec("simloom") is not None:
        import simloom

        peers["simloom, coroutines"] = lambda: simloom.explore(_bare_tasks, runs=schedules)
    if find_spec("simloop") is not None:
        import simloop

        peers["simloop, coroutines"] = lambda: simloop.explore(_bare_tasks, range(schedules))
    return peers


class _Counter:
    def __init__(self) -> None:
        self.value = 0

    def increment(self) -> None:
        for _ in range(STEPS):
            self.value += 1


def _thread_peers(schedules: int) -> dict[str, Callable[[], object]]:
    peers: dict[str, Callable[[], object]] = {}
    if frontrun_is_active():
        import frontrun

        peers["frontrun, threads"] = lambda: frontrun.explore_random(
            setup=_Counter,
            threads=[_Counter.increment] * TASKS,
            invariant=lambda _: True,
            max_attempts=schedules,
            detect_io=False,
            seed=0,
        )
    if find_spec("interleave_test") is not None:
        import interleave_test

        peers["interleave-test, threads, by line"] = lambda: interleave_test.explore(
            _bare_threads, iterations=schedules, seed=0, granularity="line"
        )
    return peers


def frontrun_is_active() -> bool:
    """Whether this runs under ``frontrun python``, without which it does nothing."""
    if find_spec("frontrun") is None:
        return False
    from frontrun.cli import is_active

    return is_active()


def _bare_threads() -> None:
    counter = _Counter()
    threads = [threading.Thread(target=counter.increment) for _ in range(TASKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
