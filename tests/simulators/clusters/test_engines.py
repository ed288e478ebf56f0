"""The same small flows have the same histories and results on simulated clusters, on Dask and on Ray."""

import pytest

from runtime import allow_failure, flow, get_run_context, task
from simulators import SimulatedCluster, SimulatedTaskRunner


class Stays:
    def __reduce__(self):
        raise TypeError("it stays where it is")


@task
def add(a, b):
    return a + b


@task
def append(items, item):
    items.append(item)
    return items


@task
def length(value):
    return len(value)


@task
def large():
    return "x" * 100_000


@task
def divide(a, b):
    return a / b


@task
def generator():
    return (n for n in range(3))


@task
def leave():
    raise SystemExit(3)


@task(retries=2)
def third_time():
    attempt = get_run_context().attempt
    if attempt < 3:
        raise OSError(f"attempt {attempt}")
    return attempt


@task
async def add_async(a, b):
    return a + b


@task
def what(error):
    return type(error).__name__


@flow
def chain():
    return add.submit(add.submit(1, 2), add_async.submit(3, 4)).result()


@flow
def shares():
    mine = []
    theirs = append.submit(mine, 1).result()
    return mine, theirs


@flow
def large_results():
    return length.submit(large.submit()).result()


@flow
def fails():
    failed = divide.submit(1, 0)
    skipped = add.submit(failed, 1)
    skipped.wait()
    return what.submit(allow_failure(failed)).result()


@flow
def cannot_travel():
    generator.submit().wait()
    length.submit(Stays()).wait()


@flow
def leaves():
    leave.submit().wait()


@flow
def tries_again():
    return third_time.submit().result()


FLOWS = [chain, shares, large_results, fails, cannot_travel, leaves, tries_again]


def story(history):
    """All states of all runs, and the flow run's own, without what differs from run to run."""
    outline = history.outline()
    return {
        name: [(state.name, state.message, attempt) for state, attempt, _ in changes]
        for name, changes in outline.items()
    }


def observed(told, runner, flow_runs):
    state = told.with_options(task_runner=runner)(return_state=True)
    return story(flow_runs[-1]), state.data if state.is_completed() else str(state)


@pytest.mark.parametrize("told", FLOWS, ids=lambda told: told.name)
def test_a_cluster_like_dask_tells_the_story_that_dask_tells(told, dask_task_runner, flow_runs):
    simulated = SimulatedTaskRunner(cluster=SimulatedCluster(like="dask"))

    assert observed(told, simulated, flow_runs) == observed(told, dask_task_runner, flow_runs)


@pytest.mark.parametrize("told", FLOWS, ids=lambda told: told.name)
def test_a_cluster_like_ray_tells_the_story_that_ray_tells(told, ray_task_runner, flow_runs):
    simulated = SimulatedTaskRunner(cluster=SimulatedCluster(like="ray"))

    assert observed(told, simulated, flow_runs) == observed(told, ray_task_runner, flow_runs)
