import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from simulators import SimulatedTaskRunner


class TestSimulatedTaskRunner(TaskRunnerStandardTestSuite):
    shares_memory = True

    @pytest.fixture
    def task_runner(self):
        return SimulatedTaskRunner()
