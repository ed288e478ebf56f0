"""The first user of the simulator: our own runtime, with a point before every statement of its code.

The declared runner's own code runs on simulated threads and loops. What these searches found is fixed; they
stay, and `--soak` lets them go on for far longer.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

import runtime.caching
import runtime.engine.callers
import runtime.engine.flow_runs
import runtime.engine.scopes
import runtime.engine.submission
import runtime.engine.task_runs
import runtime.envelope
import runtime.futures
import runtime.history.journal
import runtime.history.stores
import runtime.results
import runtime.task_runners.concurrent
import runtime.task_runners.loops
from runtime import flow, task
from runtime.exceptions import CancelledRun
from runtime.futures import as_completed, wait
from runtime.history import MemoryHistoryStore
from runtime.results import MemoryResultStorage, result_storage
from runtime.runs import FlowRun
from runtime.task_runners import ConcurrentTaskRunner
from simulators import check

pytestmark = pytest.mark.slow

RUNNER = (runtime.task_runners.concurrent, runtime.task_runners.loops, runtime.envelope)
ENGINE = (
    runtime.engine.callers,
    runtime.engine.flow_runs,
    runtime.engine.scopes,
    runtime.engine.submission,
    runtime.engine.task_runs,
)
FUTURES = (runtime.futures, runtime.history.journal, runtime.history.stores)
STORAGE = (runtime.caching, runtime.results, runtime.envelope)


@pytest.fixture
def search(request: pytest.FixtureRequest) -> Callable[..., None]:
    soak: bool = request.config.getoption("--soak")

    def search(test: Callable[[], Any], *modules: ModuleType, schedules: int = 60) -> None:
        check(
            test,
            runner="declared",
            points="statements",
            modules=modules,
            schedules=100 * schedules if soak else schedules,
        )

    return search


@task
def add_one(x: int) -> int:
    return x + 1


def two_workers() -> None:
    @flow(task_runner=ConcurrentTaskRunner(max_workers=2))
    def sums() -> list[int]:
        first = [add_one.submit(n) for n in range(3)]
        last = add_one.submit(first[0])
        return [future.result() for future in [*first, last]]

    assert sums() == [1, 2, 3, 2]


def tasks_that_submit_to_a_full_pool() -> None:
    @task
    def outer(n: int) -> int:
        return add_one.submit(n).result() + add_one.submit(n).result()

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def nested() -> list[int]:
        return [future.result() for future in outer.map([1, 2])]

    assert nested() == [4, 6]


def cancelling_what_waits_and_what_runs() -> None:
    started = threading.Event()
    release = threading.Event()

    @task
    def blocked() -> int:
        started.set()
        release.wait()
        return 1

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def cancelled() -> list[str]:
        running, waiting = blocked.submit(), add_one.submit(1)
        started.wait()
        waiting.cancel()
        running.cancel()
        release.set()
        return [future.wait().name for future in (running, waiting)]

    names = cancelled()
    # told to stop just before it would have returned, it is stopped or it is not
    assert names[0] in {"Cancelled", "Completed"}
    assert names[1] == "Cancelled"


def callbacks_and_waits() -> None:
    @flow(task_runner=ConcurrentTaskRunner(max_workers=2))
    def awaited() -> tuple[list[int], int, int]:
        called: queue.Queue[int] = queue.Queue()
        futures = [add_one.submit(n) for n in range(2)]
        for future in futures:
            future.add_done_callback(lambda future: called.put(future.result()))
        values = [future.result() for future in as_completed(futures)]
        return sorted(called.get() for _ in futures), sum(values), len(wait(futures).done)

    assert awaited() == ([1, 2], 3, 2)


def async_tasks_with_a_bound() -> None:
    @task
    async def double(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    async def doubles() -> list[int]:
        futures = [double.submit(n) for n in range(3)]
        return [await future.result_async() for future in futures]

    assert asyncio.run(doubles()) == [0, 2, 4]


def timeouts_and_retries() -> None:
    attempts: list[int] = []
    release = threading.Event()

    @task(timeout_seconds=5, retries=1, retry_delay_seconds=3)
    def slow() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            release.wait()
        return len(attempts)

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def patient() -> int:
        return slow.submit().result()

    assert patient() == 2


def a_cache_that_two_tasks_fill() -> None:
    @task(cache_key_fn=lambda _, parameters: "same")
    def compute(x: int) -> int:
        return 10 * x

    @flow(task_runner=ConcurrentTaskRunner(max_workers=2))
    def cached() -> set[int]:
        return {future.result() for future in compute.map([1, 1])}

    with result_storage(MemoryResultStorage()):
        assert cached() == {10}


def a_store_that_forgets_while_it_is_written_to() -> None:
    store = MemoryHistoryStore(keep=1)
    runs = [_flow_run(n) for n in range(3)]

    @task
    def begin(run: FlowRun) -> None:
        store.begin(run)
        store.flow_runs()

    @task
    def read() -> int:
        return sum(len(store.history(run.id)) for run in store.flow_runs()[:0]) + len(store.flow_runs())

    @flow(task_runner=ConcurrentTaskRunner(max_workers=3))
    def use() -> None:
        for future in [*begin.map(runs), read.submit()]:
            future.result()

    use()
    assert len(store.flow_runs()) == 1


def subflows_in_a_task_group() -> None:
    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    async def child(n: int) -> int:
        return await add_one.submit(n).result_async()

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    async def parent() -> list[int]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(n)) for n in range(2)]
        return [task.result() for task in tasks]

    assert asyncio.run(parent()) == [1, 2]


def an_interrupted_flow() -> None:
    release = threading.Event()

    @task
    def blocked() -> None:
        release.wait()

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def failing() -> None:
        future = blocked.submit()
        add_one.submit(future)
        future.cancel()
        raise CancelledRun("enough")

    state = failing(return_state=True)
    assert state.is_final()
    assert not state.is_completed()


def _flow_run(n: int) -> FlowRun:
    return FlowRun(UUID(int=n), f"run-{n}", "flow", n)


@pytest.mark.parametrize(
    ("test", "modules"),
    [
        (two_workers, RUNNER),
        (two_workers, ENGINE),
        (two_workers, FUTURES),
        (tasks_that_submit_to_a_full_pool, RUNNER),
        (tasks_that_submit_to_a_full_pool, ENGINE),
        (cancelling_what_waits_and_what_runs, RUNNER),
        (cancelling_what_waits_and_what_runs, ENGINE),
        (callbacks_and_waits, FUTURES),
        (async_tasks_with_a_bound, RUNNER),
        (timeouts_and_retries, RUNNER),
        (timeouts_and_retries, ENGINE),
        (a_cache_that_two_tasks_fill, STORAGE),
        (a_store_that_forgets_while_it_is_written_to, FUTURES),
        (subflows_in_a_task_group, ENGINE),
        (an_interrupted_flow, ENGINE),
    ],
    ids=lambda value: value.__name__ if callable(value) else value[0].__name__.removeprefix("runtime."),
)
def test_no_order_of_statements_breaks_the_runtime(
    search: Callable[..., None], test: Callable[[], None], modules: tuple[ModuleType, ...]
):
    search(test, *modules)
