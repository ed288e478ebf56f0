"""What is lost between driver, scheduler and worker is noticed, and what takes long is not taken for lost."""

import logging
from contextlib import contextmanager

import pytest
from distributed import Client, Future
from distributed.core import Status

from runtime.task_runners.dask.deaths import watched
from runtime.task_runners.dask.watching import Watch
from tests.runtime.task_runners.dask.conftest import a_cluster
from tests.runtime.task_runners.dask.test_faults import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """Of one slot."""
    with a_cluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster, set_as_default=False) as client:
        yield client


class OnCluster:
    """An attempt that somebody waits for."""

    confirmed = True
    is_erring = sent_again = False
    finished_at = None
    upstream = ()

    def __init__(self, future):
        self.key = future.key
        self.future = future
        self.attempt = self


class Driver:
    """Hears what becomes of attempts."""

    def __init__(self, *attempts):
        self._attempts = list(attempts)
        self.lost_ones = {}

    def under_way(self):
        return [attempt for attempt in self._attempts if attempt.key not in self.lost_ones]

    def lost(self, sent, why):
        self.lost_ones[sent.key] = why


@contextmanager
def watching(client, *futures, patience=0.2):
    driver = Driver(*map(OnCluster, futures))
    with watched(None) as deaths:
        watch = Watch(driver, client, "there", deaths, ask_interval=0.02, patience=patience)
        client.loop.add_callback(watch.begin)
        yield driver
        client.loop.add_callback(watch.end)


def test_a_task_that_the_scheduler_never_heard_of_is_lost(client):
    with watching(client, future := Future("unheard-of", client)) as driver:
        until(lambda: driver.lost_ones)

    assert "does not know" in driver.lost_ones[future.key]


def test_a_task_whose_end_the_driver_was_not_told_is_lost(cluster, client):
    with Client(cluster, set_as_default=False) as other:
        done = other.submit(int, key="done")
        done.result()
        with watching(client, future := Future("done", client)) as driver:
            until(lambda: driver.lost_ones)

    assert "was not told" in driver.lost_ones[future.key]


def test_a_task_that_never_reached_its_worker_is_lost(cluster, client):
    (worker,) = cluster.workers.values()
    handlers = worker.stream_handlers
    compute = handlers["compute-task"]
    handlers["compute-task"] = lambda **task: None
    try:
        future = client.submit(int)
        until(lambda: cluster.scheduler.tasks.get(future.key))
        until(lambda: cluster.scheduler.tasks[future.key].state == "processing")
    finally:
        handlers["compute-task"] = compute

    with watching(client, future) as driver:
        until(lambda: driver.lost_ones)

    assert worker.address in driver.lost_ones[future.key]


def test_a_task_that_lost_its_thread_is_lost(cluster, client, gate):
    (worker,) = cluster.workers.values()
    future = client.submit(gate.wait)
    until(lambda: worker.active_threads)
    active = dict(worker.active_threads)
    worker.active_threads.clear()
    try:
        with watching(client, future) as driver:
            until(lambda: driver.lost_ones)
    finally:
        worker.active_threads.update(active)
        gate.open()

    assert "No thread" in driver.lost_ones[future.key]
    future.result()


def test_tasks_that_run_and_tasks_that_wait_for_a_slot_are_not_taken_for_lost(client, gate, caplog):
    caplog.set_level(logging.DEBUG, "flows")
    first = client.submit(gate.wait)
    waiting = client.map(lambda n: n, range(3))
    downstream = client.submit(sum, waiting)
    asked = []

    with watching(client, first, *waiting, downstream) as driver:
        client.loop.add_callback(lambda: client.loop.call_later(1, asked.append, True))
        until(lambda: asked)
        gate.open()
        assert downstream.result() == 3
        first.result()

    assert driver.lost_ones == {}
    assert "does not say" not in caplog.text


@contextmanager
def paused(cluster, client):
    (worker,) = cluster.workers.values()

    async def enter(status):
        worker.status = status

    client.sync(enter, Status.paused)
    until(lambda: not cluster.scheduler.running)
    try:
        yield
    finally:
        client.sync(enter, Status.running)


def test_it_is_said_that_all_workers_are_paused(cluster, client, caplog):
    with paused(cluster, client), watching(client, client.submit(int)) as driver:
        until(lambda: "paused for want of memory" in caplog.text)

    assert driver.lost_ones == {}


def test_it_is_said_that_no_worker_has_the_resources(client, caplog):
    with watching(client, client.submit(int, resources={"GPU": 1})) as driver:
        until(lambda: "none with the name or the resources" in caplog.text)

    assert driver.lost_ones == {}
