"""Searches that several processes share: the same comes of them as of one."""

import os
import signal
from typing import Any

import pytest

from runtime import flow, task
from simulators import access, check, explore
from simulators.exceptions import SimulatorError
from simulators.strategies import RandomWalk


def counting(tasks: int, rounds: int) -> int:
    """What is left of additions by tasks that read and write one number."""
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

    return count()


def never_fails() -> int:
    return counting(3, 1)


def fails_often() -> None:
    assert counting(2, 1) == 2


def fails_seldom() -> int:
    left = counting(2, 3)
    assert left > 2, left
    return left


def race() -> None:
    left = {"n": 0}

    @task
    def add() -> None:
        left["n"] += 1

    @flow
    def both() -> None:
        for future in [add.submit(), add.submit()]:
            future.result()

    both()
    assert left["n"] == 2


def told(exploration) -> dict[str, Any]:
    """All that came of a search, as far as it can be compared."""
    return {
        "certificate": exploration.certificate,
        "complete": exploration.complete,
        "outcomes": exploration.outcomes,
        "order of outcomes": list(exploration.outcomes),
        "histories": exploration.distinct_histories,
        "races": exploration.races,
        "failures": [
            (f.schedules, str(f.schedule), f.strategy, str(f.error), str(f.shrunk))
            for f in exploration.failures[:3]
        ],
        "failed": [failure.schedules for failure in exploration.failures],
    }


@pytest.mark.parametrize("strategy", ["fifo", "random", "pos", "pct"])
@pytest.mark.parametrize("test", [never_fails, fails_seldom])
def test_the_same_comes_of_a_search_over_several_processes(test, strategy):
    one, two, three = (
        told(explore(test, strategy=strategy, points="declared", schedules=30, seed=5, processes=processes))
        for processes in (1, 2, 3)
    )

    assert one == two == three


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", "pos", "pct"])
def test_the_same_races_are_found_by_several_processes(strategy):
    one, two, three = (
        explore(
            race,
            strategy=strategy,
            points="accesses",
            schedules=40,
            seed=5,
            processes=processes,
            stop_on_failure=False,
        )
        for processes in (1, 2, 3)
    )

    assert one.races
    assert one.failures
    assert told(one) == told(two) == told(three)


def test_all_failures_are_the_same_where_the_search_goes_on():
    one, two = (
        told(
            explore(
                fails_often,
                strategy="random",
                points="declared",
                schedules=12,
                stop_on_failure=False,
                processes=processes,
            )
        )
        for processes in (1, 2)
    )

    assert len(one["failed"]) > 1
    assert one == two


class Result:
    """Something that arrives as something else."""


def test_outcomes_that_cannot_be_sent_are_counted_as_they_are():
    result = Result()

    exploration = explore(lambda: result, strategy="random", points="declared", schedules=20, processes=2)

    assert exploration.outcomes == {result: 20}


def test_a_worker_that_is_killed_is_told_of_with_what_is_lost():
    here = os.getpid()

    def dies() -> None:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SimulatorError, match=r"exit code -9.*Lost are schedule 2 .*one of every 2"):
        explore(dies, strategy="random", points="declared", processes=2)


def test_an_error_of_the_simulator_in_a_worker_is_raised():
    here = os.getpid()

    class Breaks(RandomWalk):
        def begin(self) -> bool:
            if os.getpid() != here:
                raise SimulatorError("broken")
            return super().begin()

    with pytest.raises(SimulatorError, match="broken"):
        explore(never_fails, strategy=Breaks(), points="declared", schedules=5, processes=2)


def test_a_failure_that_only_a_worker_sees_is_an_error():
    here = os.getpid()

    def fails_elsewhere() -> None:
        assert os.getpid() == here

    with pytest.raises(SimulatorError, match="failed in a worker process and not in this one"):
        explore(fails_elsewhere, strategy="random", points="declared", schedules=5, processes=2)


def test_an_interrupt_ends_the_search_and_all_workers(tmp_path):
    here = os.getpid()
    pids = tmp_path / "pids"

    class Interrupted(RandomWalk):
        def begin(self) -> bool:
            if os.getpid() != here:
                with pids.open("a") as file:
                    file.write(f"{os.getpid()}\n")
            elif self._schedules == 10:
                os.kill(here, signal.SIGINT)
            return super().begin()

    with pytest.raises(KeyboardInterrupt):
        explore(never_fails, strategy=Interrupted(), points="declared", schedules=100_000, processes=2)

    workers = {int(pid) for pid in pids.read_text().split()}
    assert len(workers) == 2
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("strategy", ["portfolio", "guided", "exhaustive", "dpor", "faults"])
def test_a_strategy_that_learns_from_each_schedule_is_not_shared(strategy):
    with pytest.raises(SimulatorError, match=f"processes=2 goes with .*{strategy}"):
        check(never_fails, strategy=strategy, processes=2)


def test_faults_that_are_drawn_are_not_shared():
    with pytest.raises(SimulatorError, match="without faults"):
        check(never_fails, strategy="random", faults="any", processes=2)


def test_each_goes_with_one_process():
    with pytest.raises(SimulatorError, match="each="):
        explore(never_fails, strategy="random", processes=2, each=print)


def test_there_is_one_process_at_least():
    with pytest.raises(SimulatorError, match="processes must be 1 or more, not 0"):
        check(never_fails, strategy="random", processes=0)
