"""The concurrent task runner passes what every task runner passes."""

import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from runtime.task_runners import ConcurrentTaskRunner


class TestConcurrentTaskRunner(TaskRunnerStandardTestSuite):
    shares_memory = True

    @pytest.fixture
    def task_runner(self):
        return ConcurrentTaskRunner()


class TestConcurrentTaskRunnerWithTwoWorkers(TaskRunnerStandardTestSuite):
    shares_memory = True

    @pytest.fixture
    def task_runner(self):
        return ConcurrentTaskRunner(max_workers=2)
