"""The specification's examples of running tasks on Dask, against real clusters."""

import pytest
from distributed import LocalCluster

from runtime.task_runners import DaskTaskRunner
from tests.spec.test_terminal import BLOCKS, form, terminal

pytestmark = pytest.mark.slow

TERMINAL = """\
13:46:58.865 | Beginning flow run 'olivine-swan' for flow 'sequential-flow'...
13:46:58.866 | Starting task runner `SequentialTaskRunner`...
13:46:58.934 | Submitting task run 'hello_local-a087a829-0' to task runner...
Hello!
13:46:58.955 | Task run 'hello_local-a087a829-0' finished in state Completed(message=None, type=COMPLETED)
13:46:58.981 | Beginning subflow run 'discreet-peacock' for flow 'dask-subflow'...
13:46:58.981 | Starting task runner `DaskTaskRunner`...
13:46:58.981 | Creating a new Dask cluster with `distributed.deploy.local.LocalCluster`
13:46:59.339 | The Dask dashboard is available at http://127.0.0.1:8787/status
13:46:59.369 | Submitting task run 'hello_dask-e80d21db-0' to task runner...
Hello from Dask!
13:47:00.066 | Task run 'hello_dask-e80d21db-0' finished in state Completed(message=None, type=COMPLETED)
13:47:00.070 | Shutting down task runner `DaskTaskRunner`...
13:47:00.294 | Subflow run 'discreet-peacock' finished in state Completed(message='All states completed.', type=COMPLETED)
13:47:00.305 | Submitting task run 'hello_local-a087a829-1' to task runner...
Hello!
13:47:00.325 | Task run 'hello_local-a087a829-1' finished in state Completed(message=None, type=COMPLETED)
13:47:00.326 | Shutting down task runner `SequentialTaskRunner`...
13:47:00.334 | Flow run 'olivine-swan' finished in state Completed(message='All states completed.', type=COMPLETED)
"""  # noqa: E501 - as it stands on the terminal

THREADS = "'processes': False, 'dashboard_address': '127.0.0.1:0'"


def test_multiple_task_runners_log_line_by_line_as_specified(tmp_path):
    script = (BLOCKS / "multiple_task_runners.py").read_text(encoding="utf-8")
    # the script starts processes, so its call needs the guard that the page itself asks for
    guarded = script.replace("\nsequential_flow()", '\nif __name__ == "__main__":\n    sequential_flow()')

    shown = terminal(guarded, tmp_path)

    # the port may be taken on this machine
    assert [line.rpartition(":")[0] if "dashboard" in line else line for line in form(shown)] == [
        line.rpartition(":")[0] if "dashboard" in line else line for line in form(TERMINAL)
    ]


@pytest.mark.parametrize(
    "block", ["dask_workers", "dask_temporary_cluster", "dask_existing_cluster", "dask_adaptive_scaling"]
)
def test_task_runners_are_made_as_specified(run_block, block):
    run_block(block, DaskTaskRunner=DaskTaskRunner)


def test_an_address_is_looked_up_when_the_flow_runs(run_block):
    state = run_block("dask_address").my_flow(return_state=True)

    assert state.is_crashed()
    assert "http://my-dask-cluster" in state.message or "http" in str(state.exception().__cause__)


def test_tasks_of_all_priorities_run(run_block, capsys):
    block = run_block(
        "dask_priority",
        changes={"DaskTaskRunner()": f"DaskTaskRunner(cluster_kwargs={{{THREADS}}})"},
    )

    assert block.my_flow(return_state=True).is_completed()
    assert sorted(capsys.readouterr().out.split()) == ["1", "2"]


def test_resources_of_a_cluster_are_there(run_block, capsys):
    block = run_block("dask_resources", changes={'"n_workers": 1,': f'"n_workers": 1, {THREADS},'})

    assert block.my_flow(return_state=True).is_completed()
    assert capsys.readouterr().out.split() == ["0", "1", "2", "3"]


def test_a_cluster_that_scales_runs_tasks(run_block):
    source = (BLOCKS / "dask_adaptive_scaling.py").read_text(encoding="utf-8")
    source = source.replace('"dask_cloudprovider.aws.FargateCluster"', "small")

    def small():
        return LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0")

    runner = eval(source, {"DaskTaskRunner": DaskTaskRunner, "small": small})
    block = run_block("submit")

    assert block.run_with_task_runner.with_options(task_runner=runner)(return_state=True).is_completed()
