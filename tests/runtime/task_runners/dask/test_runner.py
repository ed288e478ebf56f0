"""The options of the Dask task runner, and what reaches Dask's scheduler."""

import asyncio
import gc
import logging
import os
import pickle
import threading
import warnings
from types import SimpleNamespace

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin

from runtime import flow, task
from runtime.exceptions import MissingContext, WouldDeadlock
from runtime.settings import temporary_settings
from runtime.task_runners import DaskTaskRunner, get_async_dask_client, get_dask_client
from runtime.task_runners.dask.clusters import check_address
from tests.runtime.task_runners.dask.conftest import expected_time
from tests.runtime.task_runners.dask.test_faults import until

THREADS = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}


@task
def add(x, y=1):
    return x + y


def adding(runner):
    @flow(task_runner=runner)
    def adds():
        return add.submit(1).result()

    return adds


def made_by_function(**kwargs):
    return LocalCluster(**{**THREADS, **kwargs})


class Recorder(SchedulerPlugin):
    """Keeps what the scheduler is told of each task."""

    name = "recorder"

    def __init__(self):
        self.seen = {}

    def update_graph(self, scheduler, *, tasks, **kwargs):
        for key in tasks:
            state = scheduler.tasks[key]
            self.seen[key] = {
                "annotations": dict(state.annotations or {}),
                "priority": state.priority[0],
                "resources": dict(state.resource_restrictions or {}),
                "workers": set(state.worker_restrictions or ()),
                "loose": state.loose_restrictions,
                "dependencies": {dependency.key for dependency in state.dependencies},
                "bytes": len(str(state.run_spec)),
            }


@pytest.fixture
def recorder(threads):
    recorder = Recorder()
    threads.scheduler.add_plugin(recorder)
    yield recorder
    threads.scheduler.remove_plugin("recorder")


@pytest.mark.parametrize(
    "cluster_class",
    [
        None,
        LocalCluster,
        "distributed.LocalCluster",
        "distributed.deploy.local.LocalCluster",
        made_by_function,
    ],
)
def test_a_temporary_cluster_is_made_by_a_class_a_path_or_a_function(cluster_class):
    assert adding(DaskTaskRunner(cluster_class=cluster_class, cluster_kwargs=THREADS))() == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"address": "tcp://127.0.0.1:1", "cluster_kwargs": {"n_workers": 1}},
        {"address": "tcp://127.0.0.1:1", "cluster_class": LocalCluster},
        {"address": "tcp://127.0.0.1:1", "adapt_kwargs": {"maximum": 1}},
        {"address": "tcp://127.0.0.1:1", "cluster": object()},
        {"cluster": object(), "cluster_kwargs": {"n_workers": 1}},
        {"client": SimpleNamespace(asynchronous=False), "cluster": object()},
        {"client": SimpleNamespace(asynchronous=False), "client_kwargs": {"timeout": 1}},
        {"client": SimpleNamespace(asynchronous=True)},
        {"cluster_kwargs": {"asynchronous": True}},
        {"client_kwargs": {"asynchronous": True}},
    ],
)
def test_arguments_that_contradict_each_other_are_refused(arguments):
    with pytest.raises(ValueError, match=r"cannot use|must not hold"):
        DaskTaskRunner(**arguments)


def test_the_specifications_address_only_constructs():
    assert DaskTaskRunner(address="http://my-dask-cluster").duplicate() == DaskTaskRunner(
        address="http://my-dask-cluster"
    )


def test_an_adaptive_cluster_starts_workers_when_there_is_work():
    runner = DaskTaskRunner(
        cluster_kwargs={**THREADS, "n_workers": 0},
        adapt_kwargs={"minimum": 0, "maximum": 2, "interval": "50ms"},
    )

    assert adding(runner)() == 2


def test_client_kwargs_reach_the_client(threads):
    @flow(task_runner=DaskTaskRunner(cluster=threads, client_kwargs={"name": "special"}))
    def named():
        return [client for client in threads.scheduler.clients if "special" in client]

    assert len(named()) == 1


@pytest.fixture
def client(threads):
    with Client(threads, set_as_default=False) as client:
        yield client


def test_flow_runs_may_share_a_client_which_stays_as_it_was(threads, client):
    @task
    def large():
        return bytes(10_000)

    @flow(task_runner=DaskTaskRunner(client=client))
    def makes():
        return 0, large.submit(), add.submit(0)

    clients = set(threads.scheduler.clients)

    runs = [makes() for _ in range(3)]

    assert [(len(big.result()), small.result()) for _, big, small in runs] == [(10_000, 1)] * 3
    assert set(threads.scheduler.clients) == clients
    assert client.submit(sum, [1, 2]).result() == 3
    until(lambda: not client.futures and not threads.scheduler.tasks)
    assert not ours(threads.scheduler.plugins)
    assert not ours(threads.scheduler.task_metadata)


def test_a_flow_run_that_shares_its_client_takes_along_what_it_cancels(threads, client, gate):
    @task
    def waits(gate):
        gate.wait()

    @flow(task_runner=DaskTaskRunner(client=client))
    def leaves():
        running = waits.submit(gate)
        waiting = add.submit(1, wait_for=[running])
        until(lambda: running.get_state().is_running())
        return [future.cancel() for future in (waiting, running)]

    leaves(return_state=True)
    gate.open()

    until(lambda: not client.futures and not threads.scheduler.tasks)
    assert client.submit(sum, [1, 2]).result() == 3


def test_a_runner_with_a_client_is_known_elsewhere_by_the_address(threads, client):
    runner = DaskTaskRunner(client=client)

    assert pickle.loads(pickle.dumps(runner)) == DaskTaskRunner(cluster=threads)


def test_a_client_that_is_closed_crashes_the_flow(threads):
    with Client(threads, set_as_default=False) as client:
        pass

    state = adding(DaskTaskRunner(client=client))(return_state=True)

    assert state.is_crashed()
    assert "closed" in state.message


def test_a_performance_report_is_written(tmp_path):
    report, of_async = tmp_path / "report.html", tmp_path / "async.html"

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=THREADS, performance_report_path=str(of_async)))
    async def adds():
        return await add.submit(1).result_async()

    adding(DaskTaskRunner(cluster_kwargs=THREADS, performance_report_path=str(report)))()
    asyncio.run(adds())

    assert "<html" in report.read_text()[:500].lower()
    assert "<html" in of_async.read_text()[:500].lower()


def test_the_log_tells_of_the_cluster_in_the_specifications_words(caplog):
    caplog.set_level(logging.INFO, logger="flows")

    adding(DaskTaskRunner(cluster_kwargs=THREADS))()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("flows")]

    assert lines[1] == "Starting task runner `DaskTaskRunner`..."
    assert lines[2] == "Creating a new Dask cluster with `distributed.deploy.local.LocalCluster`"
    assert lines[3].startswith("The Dask dashboard is available at http://127.0.0.1:")
    assert lines[3].endswith("/status")
    assert lines[-2] == "Shutting down task runner `DaskTaskRunner`..."


def test_our_cluster_listens_on_loopback_alone():
    @flow(task_runner=DaskTaskRunner(cluster_kwargs={**THREADS, "processes": True, "n_workers": 1}))
    def looks():
        with get_dask_client() as client:
            info = client.scheduler_info()
        return info["address"], list(info["workers"])

    scheduler, workers = looks()

    assert all(address.startswith("tcp://127.0.0.1:") for address in [scheduler, *workers])


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "tcp://scheduler.example:8786", "10.0.0.1:8786"])
def test_an_address_that_others_may_listen_to_warns_or_is_refused(address):
    with pytest.warns(UserWarning, match="without TLS"):
        check_address(address)
    with temporary_settings(require_tls=True), pytest.raises(ValueError, match="require_tls"):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786", "tls://10.0.0.1:8786"]
)
def test_loopback_and_tls_are_fine(address):
    with temporary_settings(require_tls=True), warnings.catch_warnings():
        warnings.simplefilter("error")

        check_address(address)


def test_annotations_reach_the_scheduler(threads, recorder):
    worker = next(iter(threads.scheduler.workers))

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def annotated():
        with dask.annotate(priority=-10):
            low = add.with_options(name="low").submit(1)
        with dask.annotate(priority=10):
            add.with_options(name="high").submit(low)
        with dask.annotate(workers=[worker], allow_other_workers=True):
            add.with_options(name="placed").submit(1)
        with dask.annotate(resources={"GPU": 1}):
            needs = add.with_options(name="needs").submit(1)
        add.with_options(name="plain").submit(1)
        until(lambda: any(key.startswith("needs") for key in recorder.seen))
        needs.cancel()  # no worker has one

    annotated(return_state=True)
    seen = {key.split("-")[0]: told for key, told in recorder.seen.items()}

    assert seen["low"]["priority"] == 10
    assert seen["high"]["priority"] == -10
    assert seen["placed"]["workers"] == {worker}
    assert seen["placed"]["loose"] is True
    assert seen["needs"]["resources"] == {"GPU": 1}
    assert seen["plain"] | {"bytes": 0} == {
        "annotations": {},
        "priority": 0,
        "resources": {},
        "workers": set(),
        "loose": False,
        "dependencies": set(),
        "bytes": 0,
    }


def test_the_retries_of_an_annotation_warn_and_do_nothing(threads, recorder):
    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def annotated():
        with dask.annotate(retries=3), pytest.warns(UserWarning, match=r"@task\(retries=3\)"):
            return add.submit(1).result()

    assert annotated() == 2
    assert [told["annotations"] for told in recorder.seen.values()] == [{}]


def test_keys_start_with_the_name_of_the_task_run(threads, recorder):
    adding(DaskTaskRunner(cluster=threads))()

    assert [key.startswith(f"add-{add.task_key}-0-") for key in recorder.seen] == [True]


def test_upstream_results_are_dependencies_of_dask_at_any_depth(threads, recorder):
    @task
    def total(parts):
        return sum(parts["a"])

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def joined():
        return total.submit({"a": [add.submit(1), add.submit(2)]}).result()

    assert joined() == 5
    (of_total,) = [told for key, told in recorder.seen.items() if key.startswith("total")]
    assert {key.rsplit("-", 3)[0] for key in of_total["dependencies"]} == {f"add-{add.task_key}"}
    assert len(of_total["dependencies"]) == 2


def test_code_travels_once(threads, recorder):
    ballast = "x" * 100_000

    @task
    def heavy(x):
        return len(ballast) + x

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def many():
        return sum(future.result() for future in heavy.map(range(10)))

    assert many() == 1_000_045
    assert max(told["bytes"] for told in recorder.seen.values()) < 5_000


def test_no_call_leaves_before_the_code_that_it_needs(threads, monkeypatch):
    handlers = threads.scheduler.handlers
    take = handlers["set_metadata"]

    async def take_slowly(**told):
        await asyncio.sleep(0.2)
        return take(**told)

    monkeypatch.setitem(handlers, "set_metadata", take_slowly)

    assert adding(DaskTaskRunner(cluster=threads))() == 2


def ours(names):
    return [name for name in names if name.startswith("flows-")]


class Forgetful(SchedulerPlugin):
    """Takes the code away before a worker can ask for it, as a driver does that leaves."""

    name = "forgetful"

    def update_graph(self, scheduler, **told):
        for name in ours(scheduler.task_metadata):
            del scheduler.task_metadata[name]


def test_a_call_whose_flow_run_has_left_the_cluster_ends_at_once(threads):
    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def adds():
        return 0, add.submit(1).wait()

    threads.scheduler.add_plugin(Forgetful())
    try:
        with expected_time(30):
            _, state = adds()
    finally:
        threads.scheduler.remove_plugin("forgetful")

    assert "has left the cluster" in state.message


def test_a_cluster_that_was_there_is_left_as_it_was(threads, client):
    scheduler = threads.scheduler
    until(lambda: not scheduler.tasks)
    before = set(scheduler.plugins), set(scheduler.clients)

    for _ in range(5):
        adding(DaskTaskRunner(cluster=threads))()
        adding(DaskTaskRunner(address=threads.scheduler_address))()
        adding(DaskTaskRunner(client=client))()
    gc.collect()

    until(lambda: not scheduler.tasks and not ours(scheduler.plugins))
    assert (set(scheduler.plugins), set(scheduler.clients)) == before
    left = scheduler.task_metadata, scheduler._broker._topics, client._event_handlers
    until(lambda: not any(ours(names) for names in left))


def test_results_outlive_the_cluster():
    @task
    def large():
        return bytes(10_000)

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=THREADS))
    def makes():
        return 0, large.submit(), add.submit(1)

    _, big, small = makes()

    assert len(big.result()) == 10_000
    assert small.result() == 2


def test_a_large_result_may_be_awaited(threads):
    @task
    def large():
        return bytes(10_000)

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    async def awaits():
        return len(await large.submit().result_async())

    assert asyncio.run(awaits()) == 10_000


def test_a_callback_cannot_wait_for_a_result_that_only_its_own_thread_could_receive(threads, gate):
    caught, called = [], threading.Event()

    @task
    def large(gate):
        gate.wait()
        return bytes(10_000)

    def fetches(future):
        try:
            future.result()
        except WouldDeadlock as error:
            caught.append(error)

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def calls_back():
        slow = large.submit(gate)
        slow.add_done_callback(lambda future: (fetches(future), called.set()))
        gate.open()
        called.wait(30)

    calls_back()

    assert len(caught) == 1


async def in_async_flow(threads):
    @flow(task_runner=DaskTaskRunner(cluster=threads))
    async def asks():
        async with get_async_dask_client() as client:
            return await client.submit(sum, [1, 2])

    return await asks()


def test_an_async_flow_may_use_an_async_client(threads):
    assert asyncio.run(in_async_flow(threads)) == 3


def test_there_is_no_client_where_there_is_no_cluster():
    with pytest.raises(MissingContext), get_dask_client():
        pass


def test_a_scheduler_that_takes_no_plugins_is_used_all_the_same(command_line, caplog):
    blocked = {"DASK_DISTRIBUTED__SCHEDULER__BLOCKED_HANDLERS": "['register_scheduler_plugin']"}
    address, _ = command_line(environment={**os.environ, **blocked})

    assert adding(DaskTaskRunner(address=address))() == 2
    assert "does not take our plugin" in caplog.text
