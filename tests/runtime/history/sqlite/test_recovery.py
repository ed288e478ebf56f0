"""Runs whose process is gone, and processes that are not gone."""

import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from runtime import flow
from runtime.context import environment
from runtime.history.guarantees import violations
from runtime.history.sqlite.processes import Lease, WriterProcess, verdict

pytestmark = pytest.mark.slow

STUCK = """
import time
store = SQLiteHistoryStore(path)

@task
def stick():
    print(os.getpid(), flush=True)
    sys.stdin.readline()

@flow
def child():
    stick.submit().wait()

@flow
def stuck():
    add.submit(1, 2).wait()
    child()

with environment(store=store):
    try:
        stuck()
    except StoreError as error:
        print(error)
"""

RECOVER = """
store = SQLiteHistoryStore(path)
print("ready", flush=True)
sys.stdin.readline()
print(len(store.recover()))
"""

ORPHANS = """
import uuid
from runtime.history import StateChange
from runtime.runs import FlowRun, TaskRun
from runtime.states import Pending, Running
store = SQLiteHistoryStore(path)
for n in range(arguments[0]):
    run = FlowRun(uuid.uuid4(), f"run-{n}", "flow")
    store.begin(run)
    inner = TaskRun(uuid.uuid4(), "add", "a087a829", 0, run.id)
    begun = [(run, Pending()), (run, Running()), (inner, Pending()), (inner, Running())]
    for index, (of, state) in enumerate(begun):
        store.append(StateChange(of, index, state, 0.0, 0.0, int(index == 3)))
store.commit(run.id)
print("written", flush=True)
sys.stdin.readline()
"""


@flow
def nothing():
    return 1


def stuck(program):
    """A process in the middle of a flow run."""
    process = program(STUCK)
    process.stdout.readline()
    return process


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_a_run_whose_process_was_killed_is_marked_with_all_in_it(program, store):
    killed(stuck(program))

    (marked,) = store.recover()

    history = store.history(marked.id)
    assert violations(history) == []
    assert history.states == ["Pending", "Running", "Crashed"]
    assert history["child-0/stick-0"].names[-1] == "Crashed"
    assert history["child-0"].names[-1] == "Crashed"
    assert history["add-0"].names[-1] == "Completed"
    assert "is gone" in history.states[-1].state.message
    assert store.recover() == []


def test_the_next_flow_run_of_any_process_marks_it(program, store):
    killed(stuck(program))

    with environment(store=store):
        nothing()

    lost, _ = store.flow_runs()
    assert store.history(lost.id).states.names[-1] == "Crashed"


def test_a_process_that_lives_keeps_its_runs_also_while_it_is_stopped(program, store):
    process = stuck(program)
    process.send_signal(signal.SIGSTOP)

    assert store.recover() == []

    process.send_signal(signal.SIGCONT)
    process.stdin.write("\n")
    assert process.communicate(timeout=30)[1] == ""
    (run,) = store.flow_runs()
    assert store.history(run.id).states.names[-1] == "Completed"


def test_however_many_recover_a_run_is_marked_once(program, store):
    killed(stuck(program))
    processes = [program(RECOVER) for _ in range(4)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()

    counts = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sorted(counts) == [0, 0, 0, 1]
    (run,) = store.flow_runs()
    assert violations(store.history(run.id)) == []


def test_a_late_report_of_a_process_that_was_taken_for_gone_is_rejected(program, store):
    process = stuck(program)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE process SET boot = 'another', host = 'elsewhere'")
    assert store.recover() == []
    (run,) = store.recover(elsewhere=True)

    process.stdin.write("\n")
    output, errors = process.communicate(timeout=60)

    assert errors == ""
    assert "was continued by another process, which took this one for gone" in output
    assert violations(store.history(run.id)) == []
    assert store.history(run.id).states.names[-1] == "Crashed"


def test_a_run_that_was_killed_before_its_first_state_is_marked_too(store, story):
    store.begin(story.flow_run)
    store.commit(story.flow_run.id)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE process SET boot = 'another', lease = 'gone'")

    assert store.recover() == [story.flow_run]
    assert store.history(story.flow_run.id).states == ["Pending", "Crashed"]


def test_recovery_of_a_store_that_there_is_not_finds_nothing(store):
    assert store.recover() == []
    assert not store.path.exists()


def test_a_thousand_orphans_are_recovered_within_five_seconds(program, store):
    process = program(ORPHANS, 1000)
    assert process.stdout.readline() == "written\n"
    killed(process)

    began = time.process_time()
    marked = store.recover()

    assert time.process_time() - began < 5
    assert len(marked) == 1000
    assert violations(store.history(marked[-1].id)) == []


def test_a_process_is_known_by_boot_number_and_start_where_there_is_no_lease(tmp_path):
    lease = Lease(tmp_path)
    me = lease.process()
    without = {"host": me.host, "boot": me.boot, "pid": me.pid, "started": me.started, "lease": "none"}

    assert verdict(me, tmp_path) == "alive"
    assert verdict(WriterProcess(**without), tmp_path) == "alive"
    assert verdict(WriterProcess(**{**without, "started": "1"}), tmp_path) == "gone"
    assert verdict(WriterProcess(**{**without, "boot": "earlier"}), tmp_path) == "gone"
    assert verdict(WriterProcess(**{**without, "boot": "other", "host": "other"}), tmp_path) == "elsewhere"
    lease.give_up()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_is_held_in_the_eyes_of_others_while_its_process_lives(program, tmp_path):
    lease = Lease(tmp_path)
    child = os.fork()
    if child == 0:
        os._exit(0 if verdict(lease.process(), tmp_path) == "alive" else 1)

    assert os.waitpid(child, 0)[1] == 0
    lease.give_up()
