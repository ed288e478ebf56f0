"""A dozen flows whose histories are the same on every runner, up to time, worker and interleaving."""

from typing import Any

import pytest

from pytest_flows.assertions import assert_same_outcome
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.tasks import add, add_async, fail, same, same_async
from runtime import Flow, State, allow_failure, flow, get_run_context, task
from runtime.states import Completed
from runtime.task_runners import BaseTaskRunner, SequentialTaskRunner


@task(retries=2)
def third_time() -> str:
    context: Any = get_run_context()
    if context.attempt < 3:
        raise ValueError(f"attempt {context.attempt}")
    return "lucky"


@task
def skip() -> State:
    return Completed("nothing to do", name="Skipped")


@task
def leave() -> None:
    raise SystemExit(3)


@flow(task_runner=SequentialTaskRunner)
def child(x: Any) -> int:
    return add.submit(x, 1).result()


@flow
def chain() -> int:
    return add.submit(add.submit(add.submit(1, 2), 3), 4).result()


@flow
def diamond() -> int:
    top = add.submit(1, 2)
    return add.submit(add.submit(top, 1), add.submit(top, 2)).result()


@flow
def fan_in() -> Any:
    return same.submit(add.map(list(range(10)), 1)).result()


@flow
def waiting() -> None:
    first = add.submit(1, 2)
    add.submit(3, 4, wait_for=[first])


@flow
def failing() -> None:
    failed = fail.submit()
    same.submit(same.submit(failed))
    same.submit(allow_failure(failed))


@flow
def retrying() -> None:
    third_time.submit()
    fail.with_options(retries=1).submit()


@flow
def crashing() -> None:
    same.submit(leave.submit())


@flow
def skipping() -> None:
    skip.submit()


@flow
def mixing() -> int:
    called: Any = add_async(4, 5)  # in a flow that is not async it blocks
    return add(add_async.submit(1, 2), 3) + int(called)


@flow
def nesting() -> int:
    return add.submit(child(same.submit(1)), 1).result()


@flow(retries=1)
def retried() -> None:
    add.submit(1, 2)
    fail.submit()


@flow
def raising() -> None:
    add.submit(1, 2)
    fail.submit().result()


@flow
async def awaiting() -> list[int]:
    futures = [same_async.submit(n) for n in range(3)]
    return [await future.result_async() for future in futures]


FLOWS: list[Flow[..., Any]] = [
    *(chain, diamond, fan_in, waiting, failing, retrying, crashing, skipping),
    *(mixing, nesting, retried, raising, awaiting),
]


class OutcomeTests(SuiteBase):
    """The same flow has the same outcome wherever its tasks run."""

    @pytest.mark.parametrize("tried", FLOWS, ids=lambda tried: tried.name)
    def test_the_outcome_is_that_of_a_sequential_runner(
        self, task_runner: BaseTaskRunner, observe: Observe, tried: Flow[..., Any]
    ) -> None:
        expected = observe(tried.with_options(task_runner=SequentialTaskRunner()))
        found = observe(tried.with_options(task_runner=task_runner))

        assert found.state == expected.state
        assert_same_outcome(expected.history, found.history)
        if expected.state.is_completed():
            assert found.result == expected.result
