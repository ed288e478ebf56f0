"""Many processes on one store, and processes that are killed while they write."""

import json
import random
import signal
import sqlite3
from contextlib import closing

import pytest

from runtime.history import SQLiteHistoryStore
from runtime.history.guarantees import violations

pytestmark = pytest.mark.slow

MANY = """
store = SQLiteHistoryStore(path)
print("ready", flush=True)
sys.stdin.readline()
with environment(store=store):
    for _ in range(arguments[0]):
        sums(5)
store.close()
"""

ACKNOWLEDGED = """
store = SQLiteHistoryStore(path)
with environment(store=store):
    while True:
        print(json.dumps(sums(2)), flush=True)
"""


def begin_together(processes):
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


@pytest.mark.parametrize("rounds", [20, pytest.param(334, marks=pytest.mark.soak)])
def test_three_processes_share_a_store_from_its_first_moment(program, path, rounds):
    processes = [program(MANY, rounds) for _ in range(3)]

    begin_together(processes)

    for process in processes:
        assert process.communicate(timeout=100)[1] == ""
    store = SQLiteHistoryStore(path)
    runs = store.flow_runs()
    assert len(runs) == 3 * rounds
    assert not any(violations(store.history(run.id)) for run in runs)


@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_nothing_that_was_acknowledged_is_lost_by_kill_9(program, path, rounds):
    acknowledged = 0
    chance = random.Random(7)
    for _ in range(rounds):
        process = program(ACKNOWLEDGED)
        for _ in range(chance.randrange(1, 40)):
            process.stdout.readline()
            acknowledged += 1
        process.send_signal(signal.SIGKILL)
        # communicate() would leave out the lines that readline() has read ahead.
        acknowledged += len(process.stdout.readlines())

    store = SQLiteHistoryStore(path)
    histories = [store.history(run.id) for run in store.flow_runs()]
    ended = [history for history in histories if history.states and history.states.final]
    assert acknowledged <= len(ended) <= acknowledged + rounds
    assert not any(violations(history) for history in ended)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert json.loads(histories[0].flow_run.parameters) == {"n": 2}
