"""The process of a flow ends, or its history store fails, at any state change: decisions like any."""

import pytest

import simulators
from runtime import flow, task
from runtime.exceptions import StoreError
from simulators import FailureFound, SimulatedTaskRunner, access, check, explore, see_through
from simulators.exceptions import BrokenGuarantee, SimulatorError
from simulators.faults import DriverCrash, LostResult, StoreFailure, WorkerDeath, at_most
from simulators.simulation import simulation_here
from simulators.strategies import Exhaustive

EFFECTS = []


@task
def pay(n):
    access("effects", write=True)
    EFFECTS.append(n)
    return n


@task
async def pay_async(n):
    access("effects", write=True)
    EFFECTS.append(n)
    return n


@task(retries=1)
def pay_again():
    EFFECTS.append("paid")


@flow
def pays_again():
    pay_again.submit().wait()
    return "done"


@flow
def pays(number=1):
    return sum(future.result() for future in [pay.submit(n) for n in range(1, number + 1)])


@flow
async def pays_async():
    return await pay_async.submit(1).result_async()


class FineExhaustive(Exhaustive):
    """Sees all the points that dpor sees."""

    fine = True


def effects(number=1):
    EFFECTS.clear()
    return see_through(pays, number), tuple(EFFECTS)


def paid_once():
    assert effects() == (1, (1,))


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "portfolio", "faults", "exhaustive", "dpor"])
def test_every_strategy_finds_what_a_crash_of_the_driver_does_twice(strategy):
    found = explore(paid_once, faults=[DriverCrash()], strategy=strategy, points="declared", schedules=50)

    (decision,) = found.failures[0].shrunk.deviations
    assert "!DriverCrash." in decision.chosen.point


def test_the_printed_command_brings_a_crash_back():
    failure = explore(paid_once, faults=[DriverCrash()], points="operations").failures[0]
    command = str(failure).partition("Replay it: ")[2]

    execution = eval(command, {"simulators": simulators, "paid_once": paid_once, "DriverCrash": DriverCrash})

    assert isinstance(execution.error, AssertionError)
    assert execution.divergence is None


@pytest.mark.parametrize(
    ("faults", "most"),
    [([DriverCrash()], 1), ([StoreFailure()], 1), (at_most(2, DriverCrash(left=("torn",))), 2)],
    ids=repr,
)
@pytest.mark.parametrize("runner", ["simulated", "declared"])
def test_a_flow_is_resumed_until_it_ends(faults, most, runner):
    exploration = explore(effects, faults=faults, strategy="faults", runner=runner)

    assert exploration.failures == []
    assert {result for result, _ in exploration.outcomes} == {1}
    assert {len(paid) for _, paid in exploration.outcomes} == set(range(1, most + 2))


def test_an_async_flow_is_seen_through_too():
    def paid():
        EFFECTS.clear()
        return see_through(pays_async), len(EFFECTS)

    exploration = explore(paid, faults=[DriverCrash()], strategy="dpor", points="declared")

    assert exploration.complete
    assert set(exploration.outcomes) == {(1, 1), (1, 2)}


def test_a_process_that_ends_cleans_nothing_up():
    left = []

    @flow
    def leases():
        left.append("lease")
        try:
            pay.submit(1).wait()
        finally:
            left.remove("lease")

    def seen():
        left.clear()
        see_through(leases)
        return len(left)

    exploration = explore(seen, faults=[DriverCrash()], strategy="faults")

    assert set(exploration.outcomes) == {0, 1}


def test_a_run_that_nobody_knows_of_after_a_crash_is_called_anew():
    names = []
    exploration = explore(
        effects,
        faults=[DriverCrash(left=("torn",))],
        strategy="faults",
        each=lambda execution: names.append(execution.history.states.names),
    )

    assert exploration.failures == []
    anew = ["Pending", "Running", "Completed"]
    assert names[0] == anew  # there was no crash
    assert names.count(anew) == 2
    assert names.count(["Pending", "Running", "Crashed", *anew]) == len(names) - 2


@pytest.mark.parametrize("number", [1, 2])
def test_dpor_sees_all_that_comes_of_crashes_in_no_more_runs_than_it_takes(number):
    conditions = {"faults": [DriverCrash(left=("torn",))], "points": "declared"}

    reduced = explore(lambda: effects(number), strategy="dpor", **conditions)
    every = explore(lambda: effects(number), strategy=FineExhaustive(), schedules=400, **conditions)

    assert reduced.complete
    assert set(reduced.outcomes) >= set(every.outcomes)
    assert reduced.certificate.traces == reduced.executions <= every.executions


def test_a_crash_and_the_death_of_a_worker_are_searched_for_together():
    struck = []

    def hear(execution):
        points = [choice.chosen.point for choice in execution.schedule.deviations]
        struck.append({point.partition("!")[2] for point in points})

    exploration = explore(
        lambda: see_through(pays_again),
        faults=at_most(2, DriverCrash(left=("written",)), WorkerDeath(when=("unreported",))),
        strategy="faults",
        stop_on_failure=False,
        each=hear,
    )

    assert set(exploration.outcomes) == {"done"}
    assert {"DriverCrash.written", "WorkerDeath.unreported"} in struck


def stopped():
    EFFECTS.clear()
    try:
        return pays(2)
    except StoreError as error:
        assert "cannot be kept" in str(error)
        return "stopped"


@pytest.mark.parametrize("strategy", ["faults", "portfolio", "dpor"])
def test_a_flow_whose_store_fails_says_so_and_does_not_go_on(strategy):
    exploration = explore(stopped, faults=[StoreFailure()], strategy=strategy, schedules=50)

    assert exploration.failures == []
    assert set(exploration.outcomes) == {3, "stopped"}


def test_nothing_runs_where_the_store_fails_before_the_flow_began():
    exploration = explore(
        lambda: (stopped(), tuple(EFFECTS)), faults=[StoreFailure(tasks="pays-*")], strategy="faults"
    )

    assert () in {paid for _, paid in exploration.outcomes}


def test_what_was_there_before_the_store_failed_stays():
    kept = []
    explore(
        stopped,
        faults=[StoreFailure()],
        strategy="faults",
        each=lambda execution: kept.append(list(execution.history)),
    )

    whole, *cut = kept
    assert len(cut) > 3
    for history in cut:
        assert [str(change.state) for change in history] == [
            str(change.state) for change in whole[: len(history)]
        ]


def test_who_is_never_told_that_nothing_is_recorded_would_be_found():
    def silent():
        pays()
        histories = simulation_here().histories
        histories.fail(histories.flow_runs()[0])

    failure = explore(silent, faults=[StoreFailure(tasks="nobody")], strategy="fifo").failures[0]

    assert isinstance(failure.error, BrokenGuarantee)
    assert "nobody was told that it is not recorded" in str(failure.error)


def test_a_crash_of_a_driver_that_nobody_sees_through_is_refused():
    with pytest.raises(SimulatorError, match="see_through"):
        check(pays, faults=[DriverCrash()])


def test_outside_of_a_search_the_store_does_not_fail():
    with pytest.raises(SimulatorError, match="for explore and check"):
        pays.with_options(task_runner=SimulatedTaskRunner(faults=[StoreFailure()]))()


def test_a_flow_that_is_seen_through_sees_no_other_through():
    @flow
    def outer():
        return see_through(pays)

    with pytest.raises(FailureFound, match="cannot see another one through"):
        check(lambda: see_through(outer), strategy="fifo")


def test_outside_of_a_simulation_a_flow_is_just_called():
    assert see_through(pays, 2) == 3


def paid_too_often(most):
    """Fails where there were so many reasons to pay again."""
    EFFECTS.clear()
    see_through(pays)
    if len(EFFECTS) > most:
        raise AssertionError(f"paid {len(EFFECTS)} times")


@pytest.mark.parametrize("needed", [1, 2])
@pytest.mark.parametrize("strategy", ["portfolio", "dpor"])
def test_a_failing_schedule_shrinks_to_the_fewest_faults(needed, strategy):
    failure = explore(
        lambda: paid_too_often(needed),
        faults=at_most(3, DriverCrash(), StoreFailure(), LostResult()),
        strategy=strategy,
        points="declared",
        schedules=200,
    ).failures[0]

    struck = [decision for decision in failure.shrunk.deviations if "!" in decision.chosen.point]
    assert len(struck) == len(failure.shrunk.deviations) == needed
