"""The sequential task runner passes what every task runner passes."""

import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from runtime.task_runners import SequentialTaskRunner


class TestSequentialTaskRunner(TaskRunnerStandardTestSuite):
    shares_memory = True

    @pytest.fixture
    def task_runner(self):
        return SequentialTaskRunner()
