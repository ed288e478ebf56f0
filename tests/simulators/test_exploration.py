import asyncio
import signal

import pytest

from runtime import flow, task
from runtime.exceptions import Terminated
from simulators import FailureFound, access, check, checkpoint, explore, replay
from simulators.conditions import Conditions
from simulators.exceptions import SimulatorError
from simulators.strategies import strategy_called


def counting(tasks: int = 2, rounds: int = 3):
    """A flow whose tasks read and write one number, each ``rounds`` times."""
    box = {"n": 0}

    @task
    def add() -> None:
        for _ in range(rounds):
            access("n")
            seen = box["n"]
            access("n", write=True)
            box["n"] = seen + 1

    @flow
    def count() -> int:
        for future in [add.submit() for _ in range(tasks)]:
            future.result()
        return box["n"]

    return count


def lost_update() -> None:
    assert counting(2, 1)() == 2


@pytest.mark.parametrize(
    ("tasks", "rounds", "interleavings"), [(2, 1, 6), (2, 2, 70), (2, 3, 924), (3, 1, 90)], ids=str
)
def test_an_exhaustive_search_runs_each_interleaving_once(tasks, rounds, interleavings):
    count = counting(tasks, rounds)

    exploration = explore(
        lambda: counting(tasks, rounds)(), strategy="exhaustive", points="declared", stop_on_failure=False
    )

    assert count is not None
    assert exploration.executions == interleavings
    assert exploration.complete
    assert f"all {interleavings} interleavings at points=declared" in str(exploration.certificate)


def test_the_outcomes_of_all_interleavings_are_counted():
    exploration = explore(lambda: counting(2, 1)(), strategy="exhaustive", points="declared")

    assert exploration.outcomes == {2: 2, 1: 4}


def test_a_lost_update_is_found_and_its_token_replays():
    with pytest.raises(FailureFound) as found:
        check(lost_update, points="declared")

    failure = found.value.failure
    again = replay(lost_update, str(failure.schedule))
    assert isinstance(failure.error, AssertionError)
    assert isinstance(again.error, AssertionError)
    assert again.digest == replay(lost_update, failure.schedule).digest
    assert again.divergence is None
    assert str(failure.shrunk) in str(failure)


def test_a_test_that_never_fails_passes_and_says_no_more_than_was_shown():
    exploration = check(lambda: None, strategy="random", schedules=30, points="declared")

    assert exploration.executions == 30
    assert not exploration.complete
    assert "no failure in 30 schedules (random)" in str(exploration.certificate)


@pytest.mark.parametrize("strategy", ["fifo", "random", "pct", "pos", "guided", "exhaustive", "portfolio"])
@pytest.mark.parametrize("stacks", ["greenlets", "threads"])
def test_every_strategy_gives_the_same_runs_again_and_on_threads(strategy, stacks):
    def digests(stacks) -> list[str]:
        chosen = strategy_called(strategy, 5)
        seen = []
        conditions = Conditions(points="operations", seed=5, stacks=stacks)
        with conditions.executor(lambda: counting(2, 1)()) as executor:
            while len(seen) < 10 and chosen.begin():
                execution = executor.run(chosen)
                chosen.end(execution)
                seen.append(execution.digest)
        return seen

    assert digests(stacks) == digests("greenlets")


def test_an_async_test_runs_on_a_simulated_loop():
    seen: list[list[int]] = []

    async def main() -> None:
        order: list[int] = []

        async def step(n: int) -> None:
            await asyncio.sleep(0)
            order.append(n)

        await asyncio.gather(step(1), step(2), step(3))
        seen.append(order)

    exploration = explore(main, strategy="exhaustive", points="declared")

    assert exploration.complete
    assert len({tuple(order) for order in seen}) == 6


def test_retries_wait_in_virtual_time():
    @task(retries=3, retry_delay_seconds=6 * 3600)
    def flaky() -> None:
        raise ValueError("not today")

    @flow
    def patient():
        return flaky.submit()

    execution = replay(lambda: patient(return_state=True), explore_token())

    assert execution.history is not None
    assert [round(change.elapsed) for change in execution.history["flaky-0"] if change.attempt > 1][
        -1
    ] == 64800


def explore_token():
    from simulators.schedules import Schedule

    return Schedule(points="operations")


def test_tasks_that_wait_for_each_other_are_a_deadlock_that_names_them():
    def knot() -> None:
        futures = {}

        @task
        def first() -> None:
            checkpoint()
            futures["second"].result()

        @task
        def second() -> None:
            checkpoint()
            futures["first"].result()

        @flow
        def both() -> None:
            futures["first"] = first.submit()
            futures["second"] = second.submit()

        both()

    with pytest.raises(FailureFound, match="Deadlock") as found:
        check(knot, points="declared")

    assert "first-0 waits for" in str(found.value)
    assert "second-0 waits for" in str(found.value)


def test_a_run_that_goes_on_for_ever_is_a_livelock():
    def spin() -> None:
        while True:
            checkpoint()

    with pytest.raises(FailureFound, match="has not ended after 500 operations"):
        check(spin, points="declared", step_limit=500)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=str
)
def test_a_signal_ends_the_search_and_not_only_a_run(number, error):
    runs = []

    @task
    def nothing() -> None: ...

    @flow
    def interrupted() -> None:
        runs.append(number)
        signal.raise_signal(number)
        nothing.submit()

    with pytest.raises(error):
        explore(interrupted, schedules=3, stop_on_failure=False)

    assert len(runs) == 1


def test_an_exploration_inside_of_another_is_refused():
    with pytest.raises(FailureFound, match="cannot begin inside of another"):
        check(lambda: explore(lambda: None, points="declared"), points="declared")


@pytest.mark.parametrize(
    "wrong",
    [{"points": "lines"}, {"strategy": "luck"}, {"schedules": 0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(SimulatorError):
        explore(lambda: None, **wrong)
