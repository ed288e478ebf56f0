import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from pytest_flows.suite.failures import FailureTests, HandoverTests
from pytest_flows.suite.futures import CancellationTests
from pytest_flows.suite.upstream import UpstreamTests
from simulators import SimulatedCluster, SimulatedTaskRunner


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
