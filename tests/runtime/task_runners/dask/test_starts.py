"""Clusters that do not start, and schedulers that do not answer: the flow is Crashed before any task run."""

import socket

import pytest

from runtime import flow, task
from runtime.task_runners import DaskTaskRunner
from tests.runtime.task_runners.dask.conftest import expected_time

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_process_left")]


@task
def add(x, y=1):
    return x + y


@pytest.fixture
def taken_port():
    """A port that somebody has, who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def of_one_worker(**options):
    kwargs = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", **options}
    return DaskTaskRunner(cluster_kwargs=kwargs)


@pytest.fixture
def crash_of(observe):
    """Runs a flow whose task runner cannot start: its message, and the exceptions that led to it."""

    def crash_of(runner):
        @flow(task_runner=runner)
        def never():
            add.submit(1)

        with expected_time(30):
            observed = observe(never)
        assert observed.state.is_crashed()
        assert observed.history.states.names == ["Pending", "Running", "Crashed"]
        assert list(observed.history.task_runs) == []
        assert "The task runner DaskTaskRunner could not start" in observed.state.message
        causes = []
        error = observed.state.exception()
        while isinstance(error := error.__cause__, Exception):
            causes.append(error)
        return observed.state.message, causes

    return crash_of


def test_the_port_of_the_scheduler_is_taken(crash_of, taken_port):
    message, causes = crash_of(of_one_worker(processes=False, scheduler_port=taken_port))

    assert "Address already in use" in message
    assert isinstance(causes[-1], OSError)


def test_the_port_of_a_worker_process_is_taken(crash_of, taken_port):
    message, causes = crash_of(of_one_worker(worker_port=taken_port))

    assert "Address already in use" in message
    assert isinstance(causes[-1], OSError)


def test_the_port_of_the_dashboard_is_taken_which_is_no_trouble():
    runner = DaskTaskRunner(cluster_kwargs={"processes": False, "n_workers": 1})

    @flow(task_runner=runner)
    def inner():
        return add.submit(1).result()

    @flow(task_runner=runner)
    def outer():
        return add.submit(inner()).result()

    assert outer() == 3


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_the_folder_for_temporary_files_cannot_be_made(crash_of, tmp_path, processes):
    (tmp_path / "file").touch()

    message, causes = crash_of(
        of_one_worker(processes=processes, local_directory=str(tmp_path / "file" / "folder"))
    )

    assert str(tmp_path / "file") in message
    assert isinstance(causes[-1], OSError)


def test_a_cluster_of_another_kind_may_not_be_made(crash_of):
    def forbidden(**kwargs):
        raise PermissionError("no room on the device")

    message, causes = crash_of(DaskTaskRunner(cluster_class=forbidden))

    assert "no room on the device" in message
    assert isinstance(causes[-1], PermissionError)


def test_a_path_leads_to_no_cluster(crash_of):
    message, _ = crash_of(DaskTaskRunner(cluster_class="no.such.Cluster"))

    assert "no.such.Cluster" in message


def test_a_worker_process_is_not_up_in_time(crash_of, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text("import time; time.sleep(60)")

    message, causes = crash_of(of_one_worker(preload=[str(slow)], death_timeout=3))

    assert "timed out after 3" in message
    assert isinstance(causes[-1], TimeoutError)


def test_nobody_is_at_the_address(crash_of):
    _, causes = crash_of(DaskTaskRunner(address="tcp://127.0.0.1:9", client_kwargs={"timeout": 1}))

    assert isinstance(causes[-1], OSError)


def test_whoever_is_at_the_address_does_not_answer(crash_of, taken_port):
    message, causes = crash_of(
        DaskTaskRunner(address=f"tcp://127.0.0.1:{taken_port}", client_kwargs={"timeout": 1})
    )

    assert "No Dask scheduler answered within 1 second" in message
    assert isinstance(causes[-1], TimeoutError)
