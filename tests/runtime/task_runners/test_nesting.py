"""Tasks that call and submit tasks, in all combinations of sync and async: none waits for itself."""

import asyncio

import pytest

from pytest_flows import assert_max_concurrency, assert_ran_before
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

pytestmark = pytest.mark.timeout(5)


@task
def inner(x):
    return x


@task
async def inner_async(x):
    await asyncio.sleep(0)
    return x


@task
def submits(child):
    return child.submit(1).result()


@task
async def submits_async(child):
    result = child.submit(1).result()
    return await result if child.is_async else result


@task
def calls(child):
    return child(1)


@task
async def calls_async(child):
    return await child(1) if child.is_async else child(1)


@task
def submits_twice(child):
    return submits.submit(child).result()


@task
async def submits_twice_async(child):
    return await submits_async.submit(child).result()


@flow
def sync_flow(outer, child):
    return outer.submit(child).result()


@flow
async def async_flow(outer, child):
    return await outer.submit(child).result_async()


@pytest.fixture(
    params=[
        SequentialTaskRunner(),
        ConcurrentTaskRunner(),
        ConcurrentTaskRunner(max_workers=1),
    ],
    ids=repr,
)
def task_runner(request):
    return request.param


@pytest.mark.parametrize("child", [inner, inner_async])
@pytest.mark.parametrize(
    "outer", [submits, submits_async, calls, calls_async, submits_twice, submits_twice_async]
)
@pytest.mark.parametrize("around", [sync_flow, async_flow])
def test_a_task_waits_for_the_tasks_that_it_starts(task_runner, around, outer, child):
    returned = around.with_options(task_runner=task_runner)(outer, child)

    assert (asyncio.run(returned) if around.is_async else returned) == 1


def test_an_async_task_that_waits_in_several_places_gives_its_slot_back_once(flow_runs):
    @task
    async def gathers():
        futures = inner_async.map(range(5))
        return sum(await asyncio.gather(*[future.result_async() for future in futures]))

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def gather():
        return sum(future.result() for future in [gathers.submit(), gathers.submit()])

    assert gather() == 20
    assert_max_concurrency(flow_runs[-1], 1, task="inner_async")


def test_a_sequential_task_ends_with_what_it_submitted(flow_runs):
    @task
    async def leaves():
        inner_async.submit(1)

    @flow(task_runner=SequentialTaskRunner())
    async def one_after_the_other():
        leaves.submit()
        leaves.submit()

    asyncio.run(one_after_the_other())

    history = flow_runs[-1]
    assert_ran_before(history, "leaves-0/inner_async-0", "leaves-1")
