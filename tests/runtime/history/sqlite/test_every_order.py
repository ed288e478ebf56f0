"""The store's own code under the simulator: no order of its statements loses, doubles or invents a change."""

import tempfile
import threading
from pathlib import Path
from uuid import UUID

import pytest

import runtime.history.sqlite.store
import runtime.history.sqlite.writer
from runtime.history import SQLiteHistoryStore, StateChange
from runtime.history.guarantees import violations
from runtime.runs import FlowRun
from runtime.states import Completed, Pending, Running
from simulators import check

pytestmark = pytest.mark.slow

MODULES = (runtime.history.sqlite.store, runtime.history.sqlite.writer)


@pytest.fixture
def search(request):
    schedules = 2_000 if request.config.getoption("--soak") else 40

    def search(test):
        check(test, runner="declared", points="statements", modules=MODULES, schedules=schedules)

    return search


def flow_run(n):
    return FlowRun(UUID(int=n, version=4), f"run-{n}", "flow")


def write(store, run):
    """A whole flow run."""
    store.begin(run)
    for index, state in enumerate((Pending(), Running(), Completed())):
        store.append(StateChange(run, index, state, 0.0, 0.0))
        if index == 1:
            store.commit(run.id)
    store.commit(run.id)


def test_flow_runs_that_begin_and_end_together(search):
    def together():
        with tempfile.TemporaryDirectory() as folder:
            store = SQLiteHistoryStore(Path(folder) / "history.db")
            runs = [flow_run(n) for n in range(3)]
            threads = [threading.Thread(target=write, args=(store, run)) for run in runs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not any(violations(store.history(run.id)) for run in runs)
            store.close()

    search(together)


def test_a_store_that_is_closed_while_it_is_written_to(search):
    def closed():
        with tempfile.TemporaryDirectory() as folder:
            store = SQLiteHistoryStore(Path(folder) / "history.db")
            writing = threading.Thread(target=write, args=(store, flow_run(1)))
            writing.start()
            store.close()
            writing.join()
            store.close()
            assert violations(store.history(flow_run(1).id)) == []

    search(closed)


def test_a_queue_that_is_full(search):
    def full():
        with tempfile.TemporaryDirectory() as folder:
            store = SQLiteHistoryStore(Path(folder) / "history.db")
            store._writer._limit = 1
            threads = [threading.Thread(target=write, args=(store, flow_run(n))) for n in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not any(violations(store.history(flow_run(n).id)) for n in range(2))
            store.close()

    search(full)
