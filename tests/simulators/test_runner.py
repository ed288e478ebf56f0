from pathlib import Path

import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from pytest_flows.suite.failures import FailureTests, HandoverTests
from pytest_flows.suite.futures import CancellationTests
from pytest_flows.suite.upstream import UpstreamTests
from runtime import flow, task
from simulators import Schedule, SimulatedCluster, SimulatedTaskRunner, explore
from simulators.exceptions import SimulatorError


class TestSimulatedTaskRunner(TaskRunnerStandardTestSuite):
    shares_memory = True

    @pytest.fixture
    def task_runner(self):
        return SimulatedTaskRunner()


class TestSimulatedTaskRunnerWithACluster(UpstreamTests, CancellationTests, FailureTests, HandoverTests):
    @pytest.fixture
    def task_runner(self):
        return SimulatedTaskRunner(cluster=SimulatedCluster(threads=2))


class TestSimulatedTaskRunnerWithAClusterLikeRay(HandoverTests):
    @pytest.fixture
    def task_runner(self):
        return SimulatedTaskRunner(cluster=SimulatedCluster(threads=2, like="ray"))


def counting(box):
    @task
    def add() -> None:
        seen = box["n"]
        box["n"] = seen + 1

    @flow
    def count() -> None:
        for future in [add.submit(), add.submit()]:
            future.result()

    return count


@pytest.fixture
def small_project(monkeypatch):
    """Points lie in the code below the current folder, and all of it gets them that is imported."""
    monkeypatch.chdir(Path(__file__).parent)


def count_with(runner: SimulatedTaskRunner) -> int:
    """What two tasks have counted that each add one."""
    box = {"n": 0}
    counting(box).with_options(task_runner=runner)()
    return box["n"]


def count_two() -> None:
    box = {"n": 0}
    counting(box)()
    assert box["n"] == 2


@pytest.mark.parametrize(
    ("points", "counts"), [("operations", {2}), ("statements", {1, 2}), ("accesses", {1, 2})]
)
def test_outside_of_an_exploration_tasks_have_the_points_that_are_asked_for(small_project, points, counts):
    found = {count_with(SimulatedTaskRunner("random", seed, points=points)) for seed in range(4)}

    assert found == counts


def test_outside_of_an_exploration_a_schedule_is_followed_with_its_own_points(small_project, caplog):
    token = str(explore(count_two).failures[0].shrunk)
    runner = SimulatedTaskRunner(schedule=token)

    assert [count_with(runner), count_with(runner)] == [1, 1]
    assert "left its schedule" not in caplog.text


def test_a_schedule_that_no_longer_fits_is_followed_as_far_as_it_goes_and_says_so(caplog):
    token = str(explore(count_two).failures[0].shrunk)

    @task
    def other() -> int:
        return 1

    @flow(task_runner=SimulatedTaskRunner(schedule=Schedule.parse(token)))
    def changed() -> int:
        return other.submit().result()

    assert changed() == 1
    assert "The run left its schedule at decision " in caplog.text


def test_points_that_there_are_not_are_refused():
    with pytest.raises(
        SimulatorError, match="Points are declared, operations, statements, accesses, not 'lines'"
    ):
        SimulatedTaskRunner(points="lines")
