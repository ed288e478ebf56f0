"""Much at once, deep, and nested: nothing deadlocks, nothing is lost, nothing is kept."""

import asyncio
import gc
import sys
import threading
import weakref

import pytest

from runtime import flow, task
from runtime.context import FLOW_RUN
from runtime.exceptions import WouldDeadlock
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@task
async def add_async(x, y):
    return x + y


@task
def pass_through(gate, value):
    gate.wait()
    return value


@task
def make(kind):
    return kind()


class Large:
    """A result that can be watched."""


def test_a_slow_upstream_with_a_thousand_dependents_holds_nobody_up(gate, observe):
    @flow(task_runner=ConcurrentTaskRunner(max_workers=2))
    def waits():
        slow = pass_through.submit(gate, 1)
        dependents = [add.submit(slow, n) for n in range(1000)]
        independent = add.submit(1, 2).result()
        gate.open()
        return independent + sum(future.result() for future in dependents)

    observed = observe(waits)

    assert observed.result == 3 + sum(1 + n for n in range(1000))
    assert len(observed.history.task_runs) == 1002


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_submit_to_a_full_pool_do_not_deadlock(workers, observe):
    @task
    def outer(n):
        return sum(future.result() for future in add.map([n, n, n], 1))

    @flow(task_runner=ConcurrentTaskRunner(max_workers=workers))
    def nests():
        return sum(future.result() for future in outer.map(list(range(20))))

    observed = observe(nests)

    assert observed.result == sum(3 * (n + 1) for n in range(20))
    assert len(observed.history.task_runs) == 80


def test_tasks_nested_deeply_in_a_pool_of_one_do_not_deadlock():
    @task
    def descend(depth):
        return 0 if depth == 0 else descend.submit(depth - 1).result() + 1

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def nests():
        return descend.submit(30).result()

    assert nests() == 30


def test_three_maps_of_two_hundred_end(runner, observe):
    @flow(task_runner=runner)
    def maps():
        return sum(f.result() for f in add.map(add.map(add.map(list(range(200)), 1), 1), 1))

    observed = observe(maps)

    assert observed.result == sum(n + 3 for n in range(200))
    assert len(observed.history.task_runs) == 600


def test_a_blocking_result_in_an_async_flow_works_for_what_runs_elsewhere(runner):
    @flow(task_runner=runner)
    async def blocks():
        return sum(future.result() for future in add.map(list(range(50)), 1))

    assert asyncio.run(blocks()) == sum(n + 1 for n in range(50))


def test_a_blocking_result_that_needs_the_loop_is_an_error_at_once(runner):
    @flow(task_runner=runner)
    async def blocks():
        future = add.submit(add_async.submit(1, 2), 3)
        with pytest.raises(WouldDeadlock, match=r"await future\.result_async"):
            future.result()
        return await future.result_async()

    assert asyncio.run(blocks()) == 6


def test_a_task_that_waits_for_the_loop_that_waits_for_it_is_told_so():
    @task
    def needs_the_loop():
        return add_async.submit(1, 2).result()

    @flow(task_runner=ConcurrentTaskRunner())
    async def blocks():
        needing = needs_the_loop.submit()
        blocked = add.submit(needing, 0).wait_here().name
        return blocked, needing.result(raise_on_failure=False), await needs_the_loop.submit().result_async()

    blocked, error, awaited = asyncio.run(blocks())

    assert blocked == "NotReady"
    assert isinstance(error, WouldDeadlock)
    assert "held up by code which waits for the task run here" in str(error)
    assert awaited == 3


def test_blocking_for_a_task_that_waits_for_the_loop_already_is_an_error_at_once():
    @task
    async def waits_for(event):
        await event.wait()

    @task
    def needs_the_loop(event):
        waits_for.submit(event).wait()

    @flow(task_runner=ConcurrentTaskRunner())
    async def blocks():
        event = asyncio.Event()
        needing = needs_the_loop.submit(event)
        while len(FLOW_RUN.get().scope.under_way) < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(WouldDeadlock):  # there or here: one of them is told
            needing.result()
        event.set()
        return "told"

    assert asyncio.run(blocks()) == "told"


def test_a_chain_of_ten_thousand_fails_without_recursion(gate, observe):
    @task
    def fail(gate):
        gate.wait()
        raise ValueError("no luck")

    @flow(task_runner=ConcurrentTaskRunner())
    def chains():
        last = fail.submit(gate)
        for _ in range(10_000):
            last = add.submit(last, 1)
        gate.open()
        return last.wait().name

    assert observe(chains).result == "NotReady"


@pytest.mark.parametrize("stride", range(1, 40, 3))
def test_a_flow_that_recurses_too_deep_fails_and_its_tasks_have_ended(runner, observe, stride):
    @flow(task_runner=runner)
    def recurses():
        def descend(steps):
            if steps:
                return descend(steps - 1) + 1
            last = add.submit(add.submit(1, 2), add(3, 4))
            add_async.submit(last, 1)
            return descend(stride)

        return descend(stride)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300 + 7 * stride)
    try:
        observed = observe(recurses)
    finally:
        sys.setrecursionlimit(limit)

    assert observed.state.is_failed()
    assert isinstance(observed.state.result(raise_on_failure=False), RecursionError)


def test_results_of_futures_that_are_dropped_are_freed(runner):
    watched = []

    @flow(task_runner=runner)
    def makes():
        future = make.submit(Large)
        watched.append(weakref.ref(future.result()))
        make.submit(list, wait_for=[future]).wait()
        del future
        gc.collect()
        return [reference() is None for reference in watched]

    assert makes() == [True]


def test_arguments_of_tasks_that_have_ended_are_freed(runner):
    @flow(task_runner=runner)
    def passes():
        large = Large()
        watched = weakref.ref(large)
        future = make.submit(lambda large=large: 1)
        future.wait()
        del large
        gc.collect()
        return watched() is None

    assert passes()


def test_nothing_of_a_flow_is_kept_when_its_result_is_dropped(runner):
    watched = []

    @task
    def hold(large):
        return large

    @flow(task_runner=runner)
    def holds():
        large = Large()
        watched.append(weakref.ref(large))
        return {"future": hold.submit(large)}

    holds()
    gc.collect()

    assert watched[0]() is None


def test_no_thread_is_left_when_a_flow_has_ended():
    before = set(threading.enumerate())

    @flow(task_runner=ConcurrentTaskRunner())
    def works():
        add.map(list(range(20)), 1)
        add_async.map(list(range(20)), 1)
        add.with_options(timeout_seconds=60)(1, 2)

    works()

    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert [thread for thread in left if thread.is_alive()] == []


def test_two_runners_in_one_process_do_not_mix(observe):
    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def inner(future):
        return add.submit(future, 1).result()

    @flow(task_runner=SequentialTaskRunner())
    def outer():
        return add.submit(inner(add.submit(1, 1)), 1).result()

    assert observe(outer).result == 4


def test_a_future_of_another_flow_is_waited_for_like_any_other(observe):
    kept = []

    @flow(task_runner=ConcurrentTaskRunner())
    def first():
        kept.append(add.submit(1, 1))

    @flow(task_runner=SequentialTaskRunner())
    def second():
        return add.submit(kept[0], 1).result()

    first()

    assert observe(second).result == 3
