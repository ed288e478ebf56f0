"""An exhaustive search at declared points runs as many schedules as these points have interleavings."""

import asyncio
from collections.abc import Callable
from math import factorial, prod

import anyio
import pytest

from runtime import flow, task
from runtime.futures import as_completed
from simulators import Schedule, access, explore, replay


def interleavings(*points: int) -> int:
    """In how many orders runs with so many points each can come to them."""
    return factorial(sum(points)) // prod(map(factorial, points))


@task
def in_a_thread(points: int) -> None:
    for _ in range(points):
        access("state", write=True)


@task
async def on_the_loop(points: int) -> None:
    for _ in range(points):
        await asyncio.sleep(0)


@task
async def slowly(points: int) -> None:
    for _ in range(points):
        await asyncio.sleep(1)


def waits_in_order(task, *points: int) -> None:
    @flow
    def waits() -> None:
        for future in [task.submit(n) for n in points]:
            future.wait()

    waits()


def takes_as_completed(task, *points: int) -> None:
    @flow
    def takes() -> None:
        for future in as_completed([task.submit(n) for n in points]):
            future.result()

    takes()


def awaits_in_order(task, *points: int) -> None:
    @flow
    async def awaits() -> None:
        for future in [task.submit(n) for n in points]:
            await future.wait_async()

    asyncio.run(awaits())


def gathers(task, *points: int) -> None:
    @flow
    async def gathers() -> None:
        await asyncio.gather(*[task.submit(n).result_async() for n in points])

    asyncio.run(gathers())


def leaves_it_to_the_end(task, *points: int) -> None:
    @flow
    async def leaves() -> None:
        for n in points:
            task.submit(n)

    asyncio.run(leaves())


FLOWS = [waits_in_order, takes_as_completed, awaits_in_order, gathers, leaves_it_to_the_end]


@pytest.mark.parametrize("run", FLOWS, ids=lambda run: run.__name__)
@pytest.mark.parametrize("task", [in_a_thread, on_the_loop], ids=lambda task: task.name)
@pytest.mark.parametrize("points", [(1, 1), (2, 2), (3, 1), (4, 4), (1, 2, 1)], ids=str)
def test_every_interleaving_of_the_points_is_run_once(run: Callable[..., None], task, points):
    exploration = explore(lambda: run(task, *points), strategy="exhaustive", points="declared")

    assert exploration.complete
    assert exploration.executions == interleavings(*points)


@pytest.mark.parametrize("run", FLOWS, ids=lambda run: run.__name__)
@pytest.mark.parametrize("rounds", [(2, 2), (3, 1), (1, 2, 1)], ids=str)
def test_what_is_due_at_once_comes_in_every_order_and_nothing_before_its_time(run, rounds):
    due = [sum(each > second for each in rounds) for second in range(max(rounds))]

    exploration = explore(lambda: run(slowly, *rounds), strategy="exhaustive", points="declared")

    assert exploration.complete
    assert exploration.executions == prod(map(factorial, due))


def test_sync_and_async_tasks_interleave():
    @flow
    async def both() -> None:
        in_a_thread.submit(2)
        on_the_loop.submit(3)

    exploration = explore(lambda: asyncio.run(both()), strategy="exhaustive", points="declared")

    assert exploration.executions == interleavings(2, 3)


def test_tasks_that_wait_for_others_begin_when_those_have_ended():
    @flow
    def chain() -> None:
        first = in_a_thread.submit(2)
        in_a_thread.submit(2, wait_for=[first])
        in_a_thread.submit(1)

    exploration = explore(chain, strategy="exhaustive", points="declared")

    assert exploration.executions == interleavings(4, 1)


@pytest.mark.parametrize("group", ["asyncio", "anyio", "wait"])
def test_asyncio_tasks_interleave_wherever_they_are_awaited(group: str):
    async def steps(points: int) -> None:
        for _ in range(points):
            await asyncio.sleep(0)

    async def test() -> None:
        if group == "asyncio":
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(steps(2))
                tasks.create_task(steps(3))
        elif group == "anyio":
            async with anyio.create_task_group() as started:
                started.start_soon(steps, 2)
                started.start_soon(steps, 3)
        else:
            await asyncio.wait([asyncio.ensure_future(steps(n)) for n in (2, 3)])

    exploration = explore(test, strategy="exhaustive", points="declared")

    assert exploration.executions == interleavings(2, 3)


def test_the_steps_of_an_async_run_bear_its_name():
    @flow
    async def one() -> None:
        on_the_loop.submit(2)

    execution = replay(lambda: asyncio.run(one()), Schedule(points="operations"))

    steps = [step.kind for step in execution.steps if step.run == "on_the_loop-0"]
    assert steps[:3] == ["start", "step", "step"]
