"""Suites on Dask and on Ray: one of each for a session, started when it is needed."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SUITE = """
import os

import pytest

from runtime import flow, task
from runtime.task_runners import DaskTaskRunner, RayTaskRunner, SequentialTaskRunner

@task
def add(a, b):
    return a + b

@task
def process():
    return os.getpid()

@flow(task_runner=SequentialTaskRunner)
def sums(n):
    return sum(add.submit(i, 1).result() for i in range(n))

@flow
def where():
    return process.submit().result()
"""


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=SUITE + tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_a_suite_runs_on_dask(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_sums(task_runner):
    assert isinstance(task_runner, DaskTaskRunner)
    assert sums(3) == 6

def test_all_tests_share_a_cluster(dask_cluster, task_runner):
    assert DaskTaskRunner(cluster=dask_cluster) == task_runner
""",
        "--task-runner=dask",
    )

    result.assert_outcomes(passed=2)


def test_a_suite_runs_on_ray(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import ray

def test_sums(task_runner, ray_instance):
    assert isinstance(task_runner, RayTaskRunner)
    assert sums(3) == 6

def test_where():
    assert where() != os.getpid()

def test_a_ray_of_its_own(ray_instance_factory):
    ray_instance_factory(num_cpus=1, resources={"disk": 1})
    assert ray.cluster_resources()["disk"] == 1
    assert where() != os.getpid()
""",
        "--task-runner=ray",
    )

    result.assert_outcomes(passed=3)


@pytest.mark.soak  # starts Ray three times
def test_a_test_may_have_a_ray_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import ray

def test_own(ray_instance_factory):
    ray_instance_factory(num_cpus=1, resources={"disk": 1})
    assert ray.cluster_resources()["disk"] == 1
    assert where.with_options(task_runner=RayTaskRunner())() != os.getpid()

def test_session(ray_task_runner):
    assert "disk" not in ray.cluster_resources()
    assert where.with_options(task_runner=ray_task_runner)() != os.getpid()
    ray.shutdown()

def test_after_the_end(ray_task_runner):
    assert where.with_options(task_runner=ray_task_runner)() != os.getpid()
""",
    )

    result.assert_outcomes(passed=3)


def test_a_suite_runs_everywhere(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_sums(): assert sums(3) == 6", "--task-runner=all", "-v")

    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [f"*test_sums?{name}? PASSED*" for name in ("sequential", "concurrent", "dask", "ray", "simulated")]
    )


def test_nothing_is_started_before_it_is_needed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import runtime

        def test_nothing_is_there():
            assert not {"distributed", "ray"} & sys.modules.keys()
        """
    )

    result = pytester.runpytest_subprocess("--task-runner=dask,ray")

    result.assert_outcomes(passed=1)


def test_test_modules_travel_to_worker_processes(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from runtime import task

        @task
        def from_conftest():
            return "conftest"
        """
    )
    result = run(
        pytester,
        """
def test_processes(dask_cluster_factory, request):
    cluster = dask_cluster_factory(n_workers=1, processes=True)
    [conftest] = [p for p in request.config.pluginmanager.get_plugins() if hasattr(p, "from_conftest")]

    @flow(task_runner=DaskTaskRunner(cluster=cluster))
    def both():
        return process.submit().result(), conftest.from_conftest.submit().result()

    pid, text = both()
    assert pid != os.getpid()
    assert text == "conftest"
""",
        "--import-mode=importlib",
    )

    result.assert_outcomes(passed=1)


def test_tests_share_a_client_as_long_as_nobody_closes_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from runtime.context import FLOW_RUN

seen = []

@flow
def asks():
    client = FLOW_RUN.get().scope.runner.client
    seen.append(client)
    return add.submit(1, 1).result()

def test_first():
    assert asks() == 2

def test_second(dask_task_runner):
    assert asks.with_options(task_runner=dask_task_runner)() == 2
    assert seen[0] is seen[1]
    assert not seen[0].cluster.scheduler.tasks
    seen[0].close()

def test_third(dask_cluster):
    assert asks() == 2
    assert seen[2] is not seen[1]
    assert seen[2].cluster is dask_cluster
""",
        "--task-runner=dask",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=3)


def test_a_test_that_changes_the_cluster_keeps_that_to_itself(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
clusters = []

def test_first(dask_cluster):
    clusters.append(dask_cluster)
    dask_cluster.scale(1)
    dask_cluster.sync(dask_cluster._correct_state)

def test_second(dask_cluster, dask_task_runner):
    assert dask_cluster is not clusters[0]
    assert len(dask_cluster.scheduler.workers) == 2
    assert sums.with_options(task_runner=dask_task_runner)(2) == 3
    clusters.append(dask_cluster)

def test_third(dask_cluster):
    assert dask_cluster is clusters[1]
""",
    )

    result.assert_outcomes(passed=3)


def test_a_worker_that_a_flow_has_ended_is_back_for_the_next_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from runtime.context import FLOW_RUN

@flow
def ends_a_worker():
    client = FLOW_RUN.get().scope.runner.client
    client.retire_workers([next(iter(client.cluster.scheduler.workers))])
    return len(client.cluster.scheduler.workers)

@flow
def workers():
    return len(FLOW_RUN.get().scope.runner.client.cluster.scheduler.workers)

def test_first():
    assert ends_a_worker() == 1

def test_second():
    assert workers() == 2
""",
        "--task-runner=dask",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=2)


def test_clusters_listen_on_the_loopback_interface_alone(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import psutil

def test_ports(dask_cluster, dask_cluster_factory):
    dask_cluster_factory(n_workers=1, processes=True)
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    hosts = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == "LISTEN"
    }
    assert hosts <= {"127.0.0.1", "::1"}
""",
        "-W",
        "error",
    )

    result.assert_outcomes(passed=1)
