"""What type checkers see of futures. Checked by pyright, and run, so that the types are true."""

import asyncio
from typing import Any, assert_type

from runtime import State, allow_failure, flow, quote, task, unmapped
from runtime.futures import PrefectFuture, as_completed, wait, wait_async


@task
def double(x: int) -> int:
    """A sync task."""
    return 2 * x


@task(retries=1, retry_delay_seconds=[0.0], tags=["typed"])
async def halve(x: int) -> float:
    """An async task, with options."""
    return x / 2


@flow
def waiting() -> list[int]:
    """A flow that waits in every way that a sync one can."""
    futures = [double.submit(1), double.submit(2)]
    for future in as_completed(futures, timeout=60):
        assert_type(future, PrefectFuture[int])
        assert_type(future.get_state(), State)
    done = wait(futures)
    assert_type(done.done, list[PrefectFuture[Any]])
    assert_type(double.map([1, 2], return_state=True), list[State])
    return sorted(future.result() for future in futures)


@flow
async def awaiting() -> float:
    """A flow that waits in every way that an async one can."""
    futures = halve.map([1, 2])
    assert_type(futures, list[PrefectFuture[float]])
    async for future in as_completed(futures):
        assert_type(await future.result_async(), float)
        assert_type(await future.wait_async(), State | None)
    assert_type((await wait_async(futures)).not_done, list[PrefectFuture[Any]])
    assert_type(await halve(4), float)
    assert_type(await halve.submit(4), PrefectFuture[float])
    return await futures[0].result_async()


def test_what_is_waited_for_keeps_its_type() -> None:
    result = waiting()

    assert_type(result, list[int])
    assert result == [2, 4]


def test_what_is_awaited_keeps_its_type() -> None:
    result = asyncio.run(awaiting())

    assert_type(result, float)
    assert result == 0.5


def test_annotations_know_the_type_of_their_value() -> None:
    assert_type(unmapped([1]).value, list[int])
    assert_type(quote("text").unwrap(), str)
    assert_type(allow_failure(1.5).value, float)
