"""DPOR where something may go wrong: it sees all that an exhaustive search sees, once each."""

import subprocess
import sys

import pytest

from runtime import flow, task
from simulators import SimulatedCluster, access, explore
from simulators.faults import LostResult, SlotLeak, TaskError, WorkerDeath, at_most
from simulators.strategies import DPOR, Exhaustive

#: Both tasks at once, on one worker: who kills it stops the other one wherever it is.
SHARED = SimulatedCluster(workers=1, threads=2)
EFFECTS = []


@task
def pay(n):
    access("effects", write=True)
    EFFECTS.append(n)
    return n


@flow
def pays():
    EFFECTS.clear()
    futures = [pay.submit(n) for n in range(2)]
    return tuple(future.wait().name for future in futures), tuple(EFFECTS)


class FineExhaustive(Exhaustive):
    """Sees all the points that dpor sees."""

    fine = True


@pytest.mark.parametrize(
    "faults",
    [
        [WorkerDeath(when=("before",))],
        [WorkerDeath(when=("unreported",))],
        pytest.param([WorkerDeath(when=("during",))], marks=pytest.mark.slow),
        pytest.param([TaskError()], marks=pytest.mark.slow),
        [SlotLeak()],
        at_most(2, LostResult()),
    ],
    ids=repr,
)
def test_dpor_sees_all_that_comes_of_faults(faults):
    conditions = {"faults": faults, "cluster": SHARED, "points": "declared", "stop_on_failure": False}

    reduced = explore(pays, strategy="dpor", **conditions)
    every = explore(pays, strategy=FineExhaustive(), **conditions)

    assert reduced.complete
    assert every.complete
    assert set(reduced.outcomes) == set(every.outcomes)
    assert reduced.executions < every.executions


@pytest.mark.parametrize("most", [0, 1, 2])
def test_each_trace_is_executed_once_and_the_certificate_says_how_many_there_are(most):
    dpor = DPOR()

    exploration = explore(
        pays, strategy=dpor, faults=at_most(most, LostResult()), cluster=SHARED, points="declared"
    )

    assert dpor.redundant == 0
    assert exploration.certificate.bounds["faults" if most else "step_limit"]
    assert str(exploration.certificate).startswith(f"all {exploration.executions} traces at points=declared")


COUNTS = """
from simulators import explore
from tests.simulators.test_dpor_faults import SHARED, pays

for _ in range(2):
    found = explore(pays, strategy="dpor", cluster=SHARED, points="declared")
    print(found.executions, found.complete)
"""


@pytest.mark.slow
def test_the_first_search_of_a_process_sees_as_much_as_the_next_one():
    # What is imported late takes locks, and what is cached late is made: in the first run, and never again.
    done = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True)

    first, second = done.stdout.splitlines()
    assert first == second
    assert first.endswith("True")
