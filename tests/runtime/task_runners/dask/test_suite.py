"""The Dask task runner passes what every task runner passes, wherever its cluster is."""

import pytest

from pytest_flows.suite import TaskRunnerStandardTestSuite
from runtime.task_runners import DaskTaskRunner


class TestDaskTaskRunnerOnThreads(TaskRunnerStandardTestSuite):
    @pytest.fixture
    def task_runner(self, threads):
        return DaskTaskRunner(cluster=threads)


class TestDaskTaskRunnerOnProcesses(TaskRunnerStandardTestSuite):
    @pytest.fixture
    def task_runner(self, processes):
        return DaskTaskRunner(cluster=processes)


class TestDaskTaskRunnerAtAnAddress(TaskRunnerStandardTestSuite):
    @pytest.fixture
    def task_runner(self, processes):
        return DaskTaskRunner(address=processes.scheduler_address)
