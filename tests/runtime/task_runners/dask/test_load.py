"""Much data, many flow runs and many lines of log on one cluster: nothing piles up, and nothing is lost."""

import gc
import logging
import os
import threading
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import dask
import psutil
import pytest
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import TaskState

from runtime import flow, get_run_logger, task
from runtime.engine.scopes import FlowRunScope
from runtime.envelope import Attempt
from runtime.futures import PrefectFuture
from runtime.task_runners import DaskTaskRunner
from runtime.task_runners.dask.sent import Sent
from runtime.task_runners.dask.traffic import DaskResult, Traffic
from runtime.task_runners.dask.worker import Channel
from tests.runtime.task_runners.dask.test_faults import until

pytestmark = pytest.mark.slow


@contextmanager
def memory_watched():
    """What this process takes at most in the block: ``watched.grown``, in bytes, once it is over."""
    process, over = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch():
        nonlocal peak
        while not over.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    watched = SimpleNamespace(grown=0)
    try:
        yield watched
    finally:
        over.set()
        watcher.join()
        watched.grown = peak - before


@pytest.mark.parametrize("size", [100_000_000, pytest.param(300_000_000, marks=pytest.mark.soak)])
def test_much_data_goes_from_worker_to_worker_without_the_driver(processes, size):
    @task
    def make():
        return bytearray(size), [os.getpid()]

    @task
    def pass_on(made):
        data, seen = made
        return data, [*seen, os.getpid()]

    @task
    def weigh(made):
        data, seen = made
        return len(data), [*seen, os.getpid()]

    workers = list(processes.scheduler_info["workers"])

    def on(turn):
        return dask.annotate(workers=[workers[turn % 2]])

    @flow(task_runner=DaskTaskRunner(cluster=processes))
    def moves():
        with on(0):
            made = make.submit()
        for turn in (1, 2, 3):
            with on(turn):
                made = pass_on.submit(made)
        with on(4):
            weighed = weigh.submit(made)
        del made
        return weighed.result()

    with memory_watched() as driver:
        length, seen = moves()

    assert length == size
    assert seen[0] != seen[1]
    assert seen == [seen[0], seen[1], seen[0], seen[1], seen[0]]
    assert driver.grown < size / 5


class Keys(SchedulerPlugin):
    """All keys that the scheduler was given."""

    name = "keys"

    def __init__(self):
        self.seen = set()

    def update_graph(self, scheduler, *, tasks, **kwargs):
        self.seen.update(tasks)


@pytest.fixture
def keys(threads):
    keys = Keys()
    threads.scheduler.add_plugin(keys)
    yield keys
    threads.scheduler.remove_plugin("keys")


def left_of(scheduler):
    """What there is on the scheduler, and of what flow runs are made of on driver and workers."""
    gc.collect()
    kinds = Counter(type(each) for each in gc.get_objects())
    of_runs = (Attempt, Channel, DaskResult, FlowRunScope, PrefectFuture, Sent, TaskState, Traffic)
    return {
        "plugins": len(scheduler.plugins),
        "clients": len(scheduler.clients),
        "parcels": len(scheduler.task_metadata),
        "topics": len([topic for topic in scheduler._broker._topics if "flows-" in topic]),
        "groups": len(scheduler.task_groups),
        "prefixes": len(scheduler.task_prefixes),
        "bytes": sum(worker.nbytes for worker in scheduler.workers.values()),
        **{kind.__name__: kinds[kind] for kind in of_runs},
    }


def test_flow_runs_leave_nothing_on_a_cluster_that_stays(threads, keys):
    @task
    def make(n):
        return bytes(10_000 + n)

    @task
    def weigh(parts):
        return sum(map(len, parts))

    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def works():
        return weigh.submit(make.map([1, 2, 3])).result()

    def work(times, results):
        for _ in range(times):
            results.append(works())

    def work_at_once(times):
        runs = [threading.Thread(target=work, args=(times, results)) for _ in range(4)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()

    results = []
    work(1, results)
    until(lambda: not threads.scheduler.tasks)
    before = left_of(threads.scheduler)

    work(50, results)
    work_at_once(5)

    assert results == [30_006] * 71
    assert len(keys.seen) == 71 * 4
    until(lambda: not threads.scheduler.tasks)
    # no more than before: what earlier tests left in this process may go meanwhile
    until(lambda: all(number <= before[name] for name, number in left_of(threads.scheduler).items()))


class Lines(logging.Handler):
    """The messages that arrive, and nothing more of them: a hundred thousand records are much to keep."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def emit(self, record):
        self.heard.append(record.getMessage())


@pytest.fixture
def lines(monkeypatch):
    logger, lines = logging.getLogger("flows.task_runs"), Lines()
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(lines)


@pytest.mark.parametrize("n", [20_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_many_lines_of_log_change_nothing(processes, lines, n):
    @task
    def talks(n):
        logger = get_run_logger()
        for number in range(n):
            logger.info("line %d", number)
        return n

    @flow(task_runner=DaskTaskRunner(cluster=processes))
    def listens():
        return talks.submit(n).result()

    assert listens() == n
    heard = [line for line in lines.heard if line.startswith("line ")]
    assert heard == [f"line {number}" for number in range(n)]
