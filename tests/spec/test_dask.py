"""The specification's examples of running tasks on Dask, against real clusters."""

import pytest
from distributed import LocalCluster

from pytest_flows import assert_history, assert_max_concurrency
from runtime.task_runners import DaskTaskRunner

pytestmark = pytest.mark.slow

FARGATE = "dask_cloudprovider.aws.FargateCluster"


def test_a_flow_may_name_a_cluster_that_is_not_there_yet(run_block):
    block = run_block("dask_address")

    assert block.my_flow.task_runner == DaskTaskRunner(address="http://my-dask-cluster")


def test_an_address_is_looked_up_when_the_flow_runs(run_block):
    state = run_block("dask_address").my_flow(return_state=True)

    assert state.is_crashed()
    assert "http://my-dask-cluster" in state.message or "http" in str(state.exception().__cause__)


@pytest.mark.parametrize(
    ("name", "runner"),
    [
        (
            "dask_temporary_cluster",
            DaskTaskRunner(
                cluster_class=FARGATE, cluster_kwargs={"n_workers": 4, "image": "my-prefect-image"}
            ),
        ),
        ("dask_existing_cluster", DaskTaskRunner(address="tcp://...")),
        ("dask_adaptive_scaling", DaskTaskRunner(cluster_class=FARGATE, adapt_kwargs={"maximum": 10})),
    ],
)
def test_clusters_elsewhere_are_described_before_they_are_needed(run_block, name, runner):
    block = run_block(
        name, DaskTaskRunner=DaskTaskRunner, changes={"DaskTaskRunner(": "it = DaskTaskRunner("}
    )

    assert block.it == runner


def test_a_temporary_cluster_has_the_workers_and_threads_that_are_asked_for(run_block):
    block = run_block(
        "dask_workers", DaskTaskRunner=DaskTaskRunner, changes={"DaskTaskRunner(": "it = DaskTaskRunner("}
    )

    with block.it.start() as runner:
        assert list(runner.client.nthreads().values()) == [2, 2, 2, 2]


def test_a_cluster_class_that_is_not_installed_crashes_the_flow_before_any_task(run_block, flow_runs):
    block = run_block(
        "dask_priority", changes={"DaskTaskRunner()": f"DaskTaskRunner(cluster_class={FARGATE!r})"}
    )

    state = block.my_flow(return_state=True)

    assert state.is_crashed()
    assert "dask_cloudprovider" in state.message
    assert flow_runs[-1].task_runs == []


def test_tasks_with_priorities_run(run_block, dask_task_runner, capfd, flow_runs):
    block = run_block("dask_priority")

    block.my_flow.with_options(task_runner=dask_task_runner)()

    # both print at the same time, and `print` writes the end of a line by itself
    assert sorted(capfd.readouterr().out.replace("\n", "")) == ["1", "2"]
    assert_history(flow_runs[-1]["show-0"], "Pending", "Running", "Completed")


def test_tasks_that_are_called_run_here_whatever_is_annotated(run_block, dask_task_runner, capsys, flow_runs):
    block = run_block("dask_resources")

    block.my_flow.with_options(task_runner=dask_task_runner)()

    assert capsys.readouterr().out.split() == ["0", "1", "2", "3"]
    assert {change.worker for change in flow_runs[-1]} <= {None, "caller"}


def test_tasks_that_are_submitted_share_the_resources_of_a_worker(
    run_block, dask_cluster_factory, capfd, flow_runs
):
    block = run_block(
        "dask_resources", changes={f"show({number})": f"show.submit({number})" for number in range(4)}
    )
    given = block.my_flow.task_runner._settings["cluster_kwargs"]
    cluster = dask_cluster_factory(**given, threads_per_worker=4)

    block.my_flow.with_options(task_runner=DaskTaskRunner(cluster=cluster))()

    assert sorted(capfd.readouterr().out.replace("\n", "")) == ["0", "1", "2", "3"]
    assert_max_concurrency(flow_runs[-1], 2)


def test_a_cluster_that_scales_runs_tasks(run_block):
    def small():
        return LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0")

    block = run_block(
        "dask_adaptive_scaling",
        DaskTaskRunner=DaskTaskRunner,
        small=small,
        changes={"DaskTaskRunner(": "it = DaskTaskRunner(", f'"{FARGATE}"': "small"},
    )
    submits = run_block("submit").run_with_task_runner

    assert submits.with_options(task_runner=block.it)(return_state=True).is_completed()
