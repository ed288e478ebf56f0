"""The store's own code under the simulator: no order of its statements loses, doubles or invents a change."""

import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

import runtime.history.sqlite.store
import runtime.history.sqlite.writer
from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore, StateChange
from runtime.history.guarantees import violations
from runtime.history.sqlite.writer import Writer
from runtime.runs import FlowRun
from runtime.states import Completed, Pending, Running
from simulators import check, explore

pytestmark = pytest.mark.slow

DAY = 86_400.0
MODULES = (runtime.history.sqlite.store, runtime.history.sqlite.writer)


@pytest.fixture
def search(request):
    schedules = 2_000 if request.config.getoption("--soak") else 40

    def search(test):
        check(test, runner="declared", points="statements", modules=MODULES, schedules=schedules)

    return search


def all_at_once(*calls):
    """Each call on a thread of its own."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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


@contextmanager
def fresh_store(**options):
    """A store whose writer looks up by itself once a day: whoever ends thanks to that has waited in vain."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteHistoryStore(Path(folder) / "history.db", **options)
        store._writer._watch = DAY
        began = time.monotonic()
        yield store
        store.close()
        assert time.monotonic() - began < DAY / 2, "the writer was not woken"


def test_flow_runs_that_begin_and_end_together(search):
    def together():
        with fresh_store() as store:
            runs = [flow_run(n) for n in range(3)]
            all_at_once(*(partial(write, store, run) for run in runs))
            assert not any(violations(store.history(run.id)) for run in runs)

    search(together)


def test_a_store_that_is_closed_while_it_is_written_to(search):
    def closed():
        with fresh_store() as store:
            all_at_once(partial(write, store, flow_run(1)), store.close)
            store.close()
            assert violations(store.history(flow_run(1).id)) == []

    search(closed)


def test_a_queue_that_is_full(search):
    def full():
        with fresh_store() as store:
            store._writer._limit = 1
            all_at_once(*(partial(write, store, flow_run(n)) for n in range(2)))
            assert not any(violations(store.history(flow_run(n).id)) for n in range(2))

    search(full)


def test_a_store_that_is_locked_for_ever_from_any_moment_on_says_so_and_keeps_what_was_there(search):
    outcomes = set()

    def locked():
        with fresh_store(patience=0.0) as store:
            run, holder = flow_run(1), []

            def lock():
                if store.path.exists():  # else there is nothing yet that anybody could sit on
                    with suppress(sqlite3.OperationalError):  # the writer was faster
                        holder.append(connection := sqlite3.connect(store.path, timeout=0))
                        connection.execute("BEGIN IMMEDIATE")

            def record():
                try:
                    write(store, run)
                except StoreError:
                    outcomes.add("told")
                else:
                    outcomes.add("recorded")
                    assert violations(store.history(run.id)) == []

            all_at_once(record, lock)
            for connection in holder:
                connection.close()
            assert_begins_like_a_history(store, run)

    search(locked)
    assert outcomes == {"recorded", "told"}


def test_what_a_process_leaves_that_dies_at_any_statement_is_the_beginning_of_a_history(search):
    lengths = set()

    def dies():
        with fresh_store() as store, tempfile.TemporaryDirectory() as folder:
            run, safe, found = flow_run(1), [], []

            def record():
                for said in write_in_steps(store, run):
                    safe.append(said)

            def die():
                found.append(safe[-1] if safe else 0)  # was acknowledged before
                for path in store.path.parent.glob("history.db*"):
                    if path.is_file():
                        shutil.copy(path, folder)

            all_at_once(record, die)
            left = SQLiteHistoryStore(Path(folder) / "history.db")
            lengths.add(assert_begins_like_a_history(left, run, at_least=found[0]))
            left.close()

    search(dies)
    assert lengths >= {0, 3}


def write_in_steps(store, run):
    """A whole flow run; gives how many of its changes are safe whenever it is told so."""
    store.begin(run)
    for index, state in enumerate((Pending(), Running(), Completed())):
        store.append(StateChange(run, index, state, 0.0, 0.0))
        if index:
            store.commit(run.id)
            yield index + 1


def assert_begins_like_a_history(store, run, at_least=0):
    """What is there of a flow run is its first changes, as many as were acknowledged; returns how many."""
    known = store.path.exists() and any(found.id == run.id for found in store.flow_runs())
    names = store.history(run.id).states.names if known else []
    assert names == ["Pending", "Running", "Completed"][: len(names)]
    assert len(names) >= at_least
    return len(names)


def looks_before_it_says_that_it_is_idle(writer):
    """The order in which a wake-up is lost: what is put in between is noticed by nobody."""
    with writer._changed:
        if not writer._items:
            if not writer._trees:
                writer._thread = None
                return False
            writer._idle = True
            writer._changed.wait(writer._watch)
            writer._idle = False
        return True


def test_a_wake_up_that_is_lost_would_be_found(monkeypatch):
    monkeypatch.setattr(Writer, "_wait_for_items", looks_before_it_says_that_it_is_idle)

    def alone():
        with fresh_store() as store:
            write(store, flow_run(1))

    found = explore(alone, runner="declared", modules=(*MODULES, sys.modules[__name__]))

    assert str(found.failures[0].error).startswith("the writer was not woken")
