"""Faults: each is a decision that is searched for, recorded, replayed and shrunk."""

import time
from datetime import UTC, datetime

import pytest

import simulators
from runtime import flow, task
from simulators import SimulatedCluster, check, checkpoint, explore, replay
from simulators.exceptions import Deadlock, SimulatorError
from simulators.faults import (
    ANY,
    ClockJump,
    ClusterLoss,
    Delay,
    DuplicateResult,
    Faults,
    LostResult,
    Partition,
    SlotLeak,
    TaskError,
    WorkerDeath,
    at_most,
)
from simulators.strategies import DPOR, Exhaustive

EFFECTS = []


@task
def pay(n):
    checkpoint()
    EFFECTS.append(n)
    return n


@task(retries=1)
def pay_again(n):
    EFFECTS.append(n)
    return n


@flow
def pays():
    EFFECTS.clear()
    states = [pay.submit(n, return_state=True) for n in (1, 2)]
    return tuple(str(state) for state in states)


@flow
def pays_for_sure():
    EFFECTS.clear()
    return sum(future.result() for future in [pay_again.submit(1), pay_again.submit(2)])


def paid_once():
    assert pays_for_sure() == 3
    assert sorted(EFFECTS) == [1, 2]


def states(*faults, **options):
    """How a run of one task may end where these may strike, and how often it has had its effect."""

    @flow
    def pays_one():
        EFFECTS.clear()
        state = pay.submit(1, return_state=True)
        return f"{state.name}: {state.message or ''}".strip(" :"), len(EFFECTS)

    exploration = explore(
        pays_one, faults=faults, strategy=Exhaustive(), points="declared", stop_on_failure=False, **options
    )
    assert exploration.complete
    return set(exploration.outcomes)


GONE = "Crashed: The cluster is lost: its scheduler ended."
DIED = "Crashed: The worker worker-0 died while it had the task. Its process was killed."


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (WorkerDeath(when=("before",)), {("Completed", 1), (DIED, 0)}),
        (WorkerDeath(when=("unreported",)), {("Completed", 1), (DIED, 1)}),
        (WorkerDeath(when=("reported",)), {("Completed", 1)}),
        (WorkerDeath(when=("during",)), {("Completed", 1), (DIED, 0)}),
        (
            TaskError(),
            {
                ("Completed", 1),
                ("Failed: Task run encountered an exception.", 0),
                ("Failed: Task run encountered an exception.", 1),
            },
        ),
        (Delay(), {("Completed", 1)}),
        (
            LostResult(),
            {
                ("Completed", 1),
                ("Crashed: The task ended, but the report of its outcome did not arrive.", 1),
            },
        ),
        (DuplicateResult(), {("Completed", 1)}),
        (
            Partition(),
            {
                ("Completed", 1),
                ("Crashed: The worker worker-0 cannot be reached any more.", 1),
            },
        ),
        (SlotLeak(), {("Completed", 1)}),
        (ClusterLoss(), {("Completed", 1), (GONE, 0), (GONE, 1)}),
    ],
    ids=lambda value: repr(value) if not isinstance(value, set) else "",
)
def test_each_fault_ends_a_run_as_it_would_on_a_real_cluster(fault, ends):
    assert states(fault) == ends


def test_a_clock_that_is_set_moves_no_monotonic_one_and_no_history():
    @task
    def looks():
        return time.time(), time.monotonic(), datetime.now(UTC).timestamp()

    @flow
    def watches():
        began = time.time(), time.monotonic()
        wall, monotonic, date = looks.submit().result()
        return wall - began[0], monotonic - began[1], date - began[0]

    exploration = explore(
        watches, faults=[ClockJump(seconds=-3600)], strategy="exhaustive", points="declared"
    )

    assert exploration.complete
    assert set(exploration.outcomes) == {(0, 0, 0), (-3600, 0, -3600)}


def test_all_that_is_open_is_lost_with_the_cluster_and_all_that_comes_later():
    @task
    def waits(n):
        checkpoint()
        return n

    @flow
    def orphaned():
        futures = [waits.submit(n) for n in range(3)]  # on two workers of one thread: one has to wait
        for future in futures:
            future.wait()
        later = waits.submit(3).wait()
        return tuple(future.get_state().name for future in futures), later.name

    exploration = explore(
        orphaned,
        faults=[ClusterLoss(tasks="waits-0")],
        cluster=SimulatedCluster(workers=2),
        strategy="dpor",
        points="operations",
        stop_on_failure=False,
    )

    assert exploration.complete
    assert (("Completed", "Completed", "Completed"), "Completed") in exploration.outcomes
    assert (("Crashed", "Crashed", "Crashed"), "Crashed") in exploration.outcomes
    for names, later in exploration.outcomes:
        assert (names[0] == "Crashed") == (later == "Crashed"), (names, later)


def test_a_slot_that_leaks_is_not_there_for_the_next_task():
    exploration = explore(
        pays,
        faults=[SlotLeak()],
        cluster=SimulatedCluster(workers=1),
        strategy="exhaustive",
        points="declared",
    )

    assert isinstance(exploration.failures[0].error, Deadlock)
    assert "pay-1 waits for a worker with 1 free thread" in str(exploration.failures[0].error)


def test_the_search_finds_an_effect_that_happens_twice_and_shrinks_it_to_one_fault():
    failure = explore(paid_once, faults="any", points="operations").failures[0]

    (decision,) = failure.shrunk.deviations
    assert "!" in decision.chosen.point
    assert decision.chosen.point.partition("!")[2] in {
        "WorkerDeath.unreported",
        "TaskError.after",
        "LostResult",
        "Partition.before",
        "Partition.after",
    }


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "guided", "portfolio", "exhaustive", "dpor"])
def test_every_strategy_finds_the_fault_that_it_takes(strategy):
    found = explore(
        paid_once,
        faults=[LostResult(tasks="pay_again-1")],
        points="declared",
        strategy=strategy,
        schedules=50,
    )

    (decision,) = found.failures[0].shrunk.deviations
    assert str(decision.chosen).startswith("pay_again-1@")
    assert str(decision.chosen).endswith("!LostResult")


def test_the_printed_command_brings_a_fault_back():
    failure = explore(
        paid_once,
        faults=[WorkerDeath(when=("unreported",)), Delay(seconds=2)],
        cluster=SimulatedCluster(workers=3),
    ).failures[0]
    command = str(failure).partition("Replay it: ")[2]

    execution = eval(
        command,
        {
            "simulators": simulators,
            "paid_once": paid_once,
            "WorkerDeath": WorkerDeath,
            "Delay": Delay,
            "SimulatedCluster": SimulatedCluster,
        },
    )

    assert isinstance(execution.error, AssertionError)
    assert execution.divergence is None


def test_a_schedule_with_a_fault_says_when_it_does_not_fit():
    failure = explore(paid_once, faults=[LostResult()], points="operations").failures[0]

    execution = replay(paid_once, failure.shrunk)

    assert execution.error is None
    assert execution.divergence is not None


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_more_faults_strike_than_are_allowed(number):
    @flow
    def crashes():
        future_states = [pay.submit(n, return_state=True) for n in range(3)]
        return sum(state.is_crashed() for state in future_states)

    exploration = explore(
        crashes, faults=at_most(number, LostResult()), strategy="exhaustive", points="declared"
    )

    assert exploration.complete
    assert set(exploration.outcomes) == set(range(number + 1))


def test_without_a_fault_the_usual_order_is_as_it_was():
    exploration = explore(paid_once, faults="any", strategy="fifo")

    assert exploration.certificate == "no failure in 1 schedules (fifo)" or not exploration.failures


class FineExhaustive(Exhaustive):
    """Sees all the points that dpor sees."""

    fine = True


@pytest.mark.parametrize(
    "fault", [WorkerDeath(when=("during", "unreported")), *ANY[1:], ClusterLoss()], ids=repr
)
def test_dpor_sees_all_that_comes_of_faults_in_fewer_runs(fault):
    def paid():
        pays_for_sure()
        return tuple(EFFECTS)

    dpor = DPOR()
    conditions = {"faults": [fault], "points": "declared", "stop_on_failure": False}

    reduced = explore(paid, strategy=dpor, **conditions)
    every = explore(paid, strategy=FineExhaustive(), **conditions)

    assert reduced.complete
    assert every.complete
    assert set(reduced.outcomes) == set(every.outcomes)
    assert reduced.executions < every.executions


def test_a_late_report_of_a_worker_that_was_given_up_does_not_count():
    @flow
    def twice():
        EFFECTS.clear()
        return pay_again.submit(1).result()

    execution = explore(
        twice,
        faults=[Partition(seconds=6)],
        strategy="exhaustive",
        points="declared",
        stop_on_failure=False,
    )

    assert execution.complete
    assert execution.failures == []


@pytest.mark.parametrize(
    "wrong", ["some", [WorkerDeath], [WorkerDeath(), WorkerDeath(tasks="a-*")], ["WorkerDeath"]], ids=repr
)
def test_what_is_no_fault_is_refused(wrong):
    with pytest.raises(SimulatorError):
        check(paid_once, faults=wrong)


def test_a_negative_number_of_faults_is_refused():
    with pytest.raises(SimulatorError):
        at_most(-1)


def test_faults_are_written_as_they_are_made():
    assert repr(Faults((WorkerDeath(), Delay(seconds=2)))) == "[WorkerDeath(), Delay(seconds=2)]"
    assert repr(at_most(2, TaskError(error=ValueError))) == "at_most(2, TaskError(error=ValueError))"


def test_declared_runners_have_no_faults():
    with pytest.raises(SimulatorError, match="declared"):
        check(paid_once, faults="any", runner="declared")
