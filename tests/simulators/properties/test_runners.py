"""One outcome on all task runners, simulated and real."""

import pytest

from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner
from simulators import FailureFound
from simulators.properties import OtherOutcome, assert_runner_equivalent


@task
def double(n):
    return 2 * n


@task
def append(items, item):
    items.append(item)


@flow
def doubles():
    return tuple(future.result() for future in double.map([1, 2]))


@flow
async def doubles_async():
    return tuple([await future.result_async() for future in double.map([1, 2])])


@flow
def shares():
    items = []
    append.submit(items, 1).wait()
    return tuple(items)


@pytest.mark.parametrize("equivalent", [doubles, doubles_async], ids=["sync", "async"])
def test_a_flow_of_pure_tasks_is_the_same_everywhere(equivalent):
    came = assert_runner_equivalent(equivalent, schedules=20, points="operations")

    simulated = ["sequential", "concurrent", "like dask", "like ray"]
    assert list(came) == [*simulated, "SequentialTaskRunner", "ConcurrentTaskRunner"]
    assert {outcome for outcomes in came.values() for outcome in outcomes} == {(2, 4)}


def test_a_flow_that_shares_a_list_with_its_tasks_is_another_one_on_a_cluster():
    with pytest.raises(FailureFound) as found:
        assert_runner_equivalent(shares, schedules=20, points="operations")

    assert str(found.value.failure.error) == "The outcome is (), and should be (1,)."


def test_a_real_run_with_another_outcome_is_told_of():
    class Odd(SequentialTaskRunner):
        """Knows that it is real."""

    @flow
    def asks():
        from runtime.context import FLOW_RUN

        return type(FLOW_RUN.get().scope.runner).__name__ == "Odd"

    with pytest.raises(OtherOutcome, match=r"On Odd\(\) the outcome is True, and should be False"):
        assert_runner_equivalent(asks, schedules=5, real=[ConcurrentTaskRunner(), Odd()])
