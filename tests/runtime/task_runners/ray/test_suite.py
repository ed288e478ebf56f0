"""The standard tests, on a Ray that runs already."""

import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite


class TestOnRunningRay(TaskRunnerStandardTestSuite):
    @pytest.fixture
    def task_runner(self, ray_task_runner):
        return ray_task_runner
