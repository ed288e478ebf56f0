"""What a flow run and a task run cost beside raw threads and raw asyncio."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.contests import Contest
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


def contests() -> Iterator[Contest]:
    """No-op tasks in all ways, chains, waiting tasks, and the fixed cost of a flow run."""
    for n in (1_000, 5_000):
        yield Contest(
            f"{n:,} no-op tasks, sequential",
            "task",
            n,
            {"flow": lambda n=n: sequential(n), "plain calls": lambda n=n: [nothing() for _ in range(n)]},
            promised="at most 35 µs of CPU",
        )
        yield Contest(
            f"{n:,} no-op tasks, concurrent",
            "task",
            n,
            {"flow": lambda n=n: concurrent(n), "ThreadPoolExecutor": lambda n=n: pool(n, nothing)},
            promised="at most 60 µs and 4 times the pool's CPU",
        )
        yield Contest(
            f"{n:,} no-op async tasks, concurrent",
            "task",
            n,
            {
                "flow": lambda n=n: asyncio.run(concurrent_async(n)),
                "asyncio.create_task": lambda n=n: asyncio.run(raw_async(n)),
            },
            promised="at most 45 µs of CPU",
        )
    yield Contest(
        "chain of 500 tasks, concurrent",
        "hop",
        500,
        {"flow": lambda: chain(500), "ThreadPoolExecutor, each waited for": lambda: pool_chain(500)},
        promised="at most 150 µs of CPU",
    )
    yield Contest(
        "200 tasks that sleep 50 ms, concurrent",
        "task",
        200,
        {"flow": lambda: sleepers(200), "ThreadPoolExecutor": lambda: pool(200, nap)},
        promised="at most 1.3 times the pool's wall time",
        rounds=3,
    )
    yield Contest(
        "an empty flow",
        "flow run",
        200,
        {"flow": lambda: _repeat(200, empty)},
        promised="at most 100 µs of CPU",
    )


def nothing() -> None:
    pass


def nap() -> None:
    time.sleep(0.05)


no_op = task(nothing, name="no-op")
sleeping = task(nap, name="nap")


@task
async def no_op_async() -> None:
    pass


@task
def pass_on(value: int) -> int:
    return value


@flow(task_runner=SequentialTaskRunner())
def sequential(n: int) -> None:
    for _ in range(n):
        no_op.submit()


@flow(task_runner=ConcurrentTaskRunner())
def concurrent(n: int) -> None:
    for _ in range(n):
        no_op.submit()


@flow(task_runner=ConcurrentTaskRunner())
async def concurrent_async(n: int) -> None:
    for _ in range(n):
        no_op_async.submit()


@flow(task_runner=ConcurrentTaskRunner())
def chain(n: int) -> None:
    value: Any = 1
    for _ in range(n):
        value = pass_on.submit(value)


@flow(task_runner=ConcurrentTaskRunner())
def sleepers(n: int) -> None:
    for _ in range(n):
        sleeping.submit()


@flow
def empty() -> int:
    return 1


def pool(n: int, function: Callable[[], None]) -> None:
    with ThreadPoolExecutor(40) as executor:
        for future in [executor.submit(function) for _ in range(n)]:
            future.result()


def pool_chain(n: int) -> None:
    with ThreadPoolExecutor(40) as executor:
        value = 1
        for _ in range(n):
            value = executor.submit(pass_on.fn, value).result()


async def raw_async(n: int) -> None:
    for running in [asyncio.create_task(no_op_async.fn()) for _ in range(n)]:
        await running


def _repeat(n: int, work: Callable[[], object]) -> None:
    for _ in range(n):
        work()
