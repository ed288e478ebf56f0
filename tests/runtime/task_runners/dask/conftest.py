"""Dask clusters: threads for a file, processes for the session, others that a test may do its worst to."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

import dask
import psutil
import pytest
from distributed import LocalCluster
from distributed.utils import get_mp_context

from pytest_flows.suite.gates import Gate, Ledger
from runtime.task_runners import DaskTaskRunner

#: Seconds that processes have to be gone after a cluster was closed.
GONE_WITHIN = 10


def a_cluster(*, processes, **options):
    defaults = {"threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    if not processes:  # they would pause where all the tests together take much memory
        defaults["memory_limit"] = None
    return LocalCluster(processes=processes, **{**defaults, **options})


@pytest.fixture(scope="session", autouse=True)
def quick_workers():
    """Worker processes are forked from one that has imported Dask already, and start in a tenth of the time.

    Scripts and ``dask worker`` start theirs as ever.
    """
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()  # says what is to be imported
        forkserver.ensure_running()
        yield


@pytest.fixture(scope="module")  # it starts in 30 ms, and lives in a process that other files do much to
def threads():
    with a_cluster(n_workers=2, processes=False) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def processes():
    with a_cluster(n_workers=2, processes=True) as cluster:
        yield cluster


@pytest.fixture
def doomed():
    """Makes a runner with a temporary cluster of one slot on each worker process."""

    def make(n_workers=2, **options):
        kwargs = {"n_workers": n_workers, "threads_per_worker": 1, "processes": True, **options}
        return DaskTaskRunner(cluster_kwargs={"dashboard_address": "127.0.0.1:0", **kwargs})

    return make


@pytest.fixture(scope="module")
def one_slot():
    """A cluster with a single worker process that does one thing at a time."""
    with a_cluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@pytest.fixture
def command_line(tmp_path):
    """Starts ``dask scheduler`` and ``dask worker`` as processes: ``address, processes = command_line()``."""
    started = []

    def start(n_workers=1, scheduler_options=(), environment=None):
        file = tmp_path / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        started.append(dask_process("scheduler", *options, *scheduler_options, environment=environment))
        address = started[0].wait_for(r"Scheduler at:\s+(tcp://\S+)")
        for _ in range(n_workers):
            worker = dask_process(
                "worker",
                address,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--nanny-port",
                "0",
                environment=environment,
            )
            started.append(worker)
            worker.wait_for(r"Registered to:\s+(\S+)")
        return address, started

    yield start
    for process in reversed(started):
        process.end()


class dask_process:
    """``dask scheduler`` or ``dask worker``."""

    def __init__(self, *arguments, environment=None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path.cwd(),
        )
        self.pid = self._process.pid

    def wait_for(self, pattern):
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"Dask never said {pattern}, but:\n{''.join(said)}")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def end(self):
        family = [self._process, *descendants(self.pid)]
        for process in family:
            with_missing_ignored(process.send_signal, signal.SIGKILL)
        self._process.wait()
        self._process.stderr.close()


def with_missing_ignored(do, *args):
    try:
        do(*args)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return


def descendants(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def no_process_left():
    """Fails a test that leaves a process behind."""
    before = set(descendants(os.getpid()))
    yield
    # multiprocessing keeps one to look after its resources
    left = [p for p in descendants(os.getpid()) if p not in before and not is_resource_tracker(p)]
    _, alive = psutil.wait_procs(left, timeout=GONE_WITHIN)
    assert alive == []


def is_resource_tracker(process):
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def ledger(tmp_path):
    """Where tasks note that they were run."""
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def gate(tmp_path):
    """A gate that is shut."""
    return Gate(tmp_path / "gate")


@contextmanager
def expected_time(seconds):
    """Fails a block that takes longer."""
    import time

    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
