from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from runtime import flow, task
from simulators import SimulatedTaskRunner, explore
from simulators.schedules import Choice, Decision, Schedule
from simulators.strategies import PCT, POS, Fifo, RandomWalk, Replay, Strategy
from tests.simulators.programs import play


@dataclass
class Pending:
    run: str
    point: str = "1"
    kind: str = "access"
    resource: Any = None
    writes: bool = False
    goes_on: bool = False


A, B, C = Pending("a"), Pending("b"), Pending("c")


def test_fifo_takes_the_first_in_line_and_has_one_schedule():
    fifo = Fifo()

    assert fifo.begin()
    assert fifo.choose([B, A]) is B
    assert not fifo.begin()


def test_random_chooses_each_as_often_and_alike_for_the_same_seed():
    pending = [A, B, C]
    walk, again = RandomWalk(3), RandomWalk(3)
    walk.begin()
    again.begin()

    chosen = [walk.choose(pending).run for _ in range(9000)]

    assert chosen == [again.choose(pending).run for _ in range(9000)]
    assert all(abs(count - 3000) < 4 * 45 for count in Counter(chosen).values())


@pytest.mark.parametrize("strategy", [RandomWalk, POS, PCT])
def test_those_that_sample_decide_a_schedule_by_its_number_whatever_came_before_it(strategy):
    programs = {"a": "xXxX", "b": "xXxX", "c": "xX"}
    whole, skipping = strategy(seed=3), strategy(seed=3)

    orders: list[str] = []
    for number in range(60):
        whole.begin()
        skipping.begin()
        orders.append(play(whole, **programs).order)
        if number <= strategy.learns or number % 3 == 0:
            assert play(skipping, **programs).order == orders[-1]

    assert len(set(orders)) > 10


def schedule(*choices: tuple[str, str], complete: bool = False) -> Schedule:
    parsed = tuple(Choice(Decision.parse(chosen), Decision.parse(usual)) for chosen, usual in choices)
    return Schedule(parsed, complete=complete)


def test_replay_deviates_where_the_schedule_does_and_follows_fifo_elsewhere():
    replay = Replay(schedule(("b@1", "a@2")))
    replay.begin()

    first = replay.choose([A, B])
    second = replay.choose([Pending("a", "2"), B])
    third = replay.choose([Pending("a", "2"), Pending("b", "2")])

    assert (first, second, third.run) == (A, B, "a")
    assert replay.left_over() is None
    assert not replay.begin()


def test_replay_finds_a_deviation_again_where_edits_have_moved_it():
    replay = Replay(schedule(("b@1", "a@2")))
    replay.begin()

    moved = [replay.choose([C, A]), replay.choose([C, B]), replay.choose([Pending("a", "2"), B])]

    assert moved == [C, C, B]
    assert replay.left_over() is None


def test_replay_says_where_it_left_its_record_and_goes_on_with_fifo():
    replay = Replay(schedule(("b@1", "a@2")))
    replay.begin()
    replay.choose([A, B])

    chosen = replay.choose([Pending("a", "2"), C])

    assert chosen.run == "a"
    assert str(replay.left_over()) == "decision 1: expected b@1; can run: a@2, c@1"


def test_replay_names_a_deviation_that_it_never_came_to():
    replay = Replay(schedule(("b@1", "a@2")))
    replay.begin()
    replay.choose([A, B])

    assert str(replay.left_over()) == "decision 1: expected b@1; can run: nothing was left to decide"


def test_replay_of_a_complete_record_notices_the_first_difference():
    replay = Replay(schedule(("a@1", "a@1"), ("a@2", "a@2"), complete=True))
    replay.begin()

    replay.choose([A, B])
    replay.choose([C, B])

    assert str(replay.left_over()) == "decision 1: expected a@2; can run: c@1, b@1"


class Refusal(BaseException):
    """As Hypothesis raises, to end an example."""


class Refusing(Strategy):
    name = "refusing"

    def choose(self, pending):
        raise Refusal


@task
def add(a, b):
    return a + b


@flow
def sums():
    return [future.result() for future in add.map([1, 2, 3], 1)]


def test_what_a_strategy_raises_ends_the_run_and_reaches_whoever_began_it():
    with pytest.raises(Refusal):
        sums.with_options(task_runner=SimulatedTaskRunner(strategy=Refusing()))()
    with pytest.raises(Refusal):
        explore(sums, strategy=Refusing(), points="operations")

    assert sums() == [2, 3, 4]
