"""The Dask task runner passes what every task runner passes, wherever its cluster is."""

import pytest
from distributed import LocalCluster

from pytest_flows.suite import TaskRunnerStandardTestSuite
from runtime.task_runners import DaskTaskRunner


@pytest.fixture(scope="module")
def threads():
    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def processes():
    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


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
