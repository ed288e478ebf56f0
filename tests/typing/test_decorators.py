"""What type checkers see of decorators, bare and with options. Checked by pyright, and run."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import assert_type

import pytest

from runtime import Flow, State, Task, flow, task
from runtime.runs import FlowRun, TaskRun
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner
from runtime.tasks import task_input_hash


def heard(owner: object, run: FlowRun | TaskRun, state: State) -> None:
    """A hook."""
    del owner, run, state


def plain(x: int, *, factor: float = 1.0) -> str:
    """A function before it is decorated."""
    return str(x * factor)


async def plain_async(x: int) -> str:
    """An async function before it is decorated."""
    return str(x)


@task(
    name="all-options",
    version="1",
    description="a task with every option",
    tags={"typed"},
    task_run_name="run-{x}",
    retries=2,
    retry_delay_seconds=lambda retries: [0.0] * retries,
    retry_jitter_factor=0.5,
    retry_condition_fn=lambda task, task_run, state: True,
    timeout_seconds=60,
    cache_key_fn=task_input_hash,
    cache_expiration=timedelta(hours=1),
    refresh_cache=True,
    persist_result=False,
    log_prints=False,
    on_running=[heard],
    on_completion=[heard],
    on_failure=[heard],
)
def all_task_options(x: int) -> int:
    """A task with every option."""
    return x


@flow(
    name="all-options",
    version="1",
    description="a flow with every option",
    flow_run_name=lambda: "the-run",
    task_runner=SequentialTaskRunner,
    retries=1,
    retry_delay_seconds=timedelta(0),
    timeout_seconds=60,
    validate_parameters=True,
    log_prints=False,
    persist_result=False,
    on_running=[heard],
    on_completion=[heard],
    on_failure=[heard],
    on_crashed=[heard],
    on_cancellation=[heard],
)
def all_flow_options(x: int) -> int:
    """A flow with every option."""
    return all_task_options.submit(x).result()


def test_decorated_functions_keep_their_signature() -> None:
    sync_task, async_task = task(plain), task(plain_async)
    sync_flow, async_flow = flow(plain), flow(plain_async)

    assert_type(sync_task(1, factor=2.0), str)
    assert_type(sync_flow(1, factor=2.0), str)
    assert sync_task(1, factor=2.0) == sync_flow(1, factor=2.0) == "2.0"
    assert asyncio.run(async_task(3)) == asyncio.run(async_flow(3)) == "3"
    assert sync_task.fn(1) == sync_flow.fn(1) == "1.0"


def test_options_leave_the_type_as_it_is() -> None:
    without_retries = all_task_options.with_options(retries=0)
    elsewhere = all_flow_options.with_options(task_runner=ConcurrentTaskRunner())

    assert_type(all_task_options(3), int)
    assert_type(without_retries(x=3), int)
    assert_type(all_flow_options(3), int)
    assert_type(elsewhere(x=3), int)
    assert without_retries(3) == elsewhere(3) == all_flow_options(3) == 3


def test_async_functions_give_something_to_await() -> None:
    async_task, async_flow = task(plain_async), flow(plain_async)

    async def main() -> None:
        assert_type(await async_flow(3), str)
        assert_type(await async_flow(3, return_state=True), State)
        assert_type(await async_task(3), str)
        assert_type(await async_task(3, return_state=True), State)

    asyncio.run(main())


def test_a_decorator_with_options_can_be_kept_and_used_again() -> None:
    with_retries: Callable[[Callable[[int], str]], Task[[int], str]] = task(retries=3)
    with_runner: Callable[[Callable[[int], str]], Flow[[int], str]] = flow(task_runner=SequentialTaskRunner())

    def shown(x: int) -> str:
        return str(x)

    assert_type(with_retries(shown)(3), str)
    assert_type(with_runner(shown)(3), str)
    assert with_retries(shown)(3) == with_runner(shown)(3) == "3"


def test_a_wrong_option_is_seen_before_it_runs() -> None:
    with pytest.raises(TypeError, match="retries must be a whole number"):
        all_task_options.with_options(retries="often")  # pyright: ignore[reportArgumentType] - that is the point
    with pytest.raises(TypeError, match="Did you mean 'retries'"):
        all_flow_options.with_options(retrys=3)  # pyright: ignore[reportCallIssue] - that is the point
