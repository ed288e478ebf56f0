"""Shrinking, on programs that are words."""

from collections.abc import Callable

import pytest

from simulators.schedules import Schedule
from simulators.shrinking import StillFails, shrink
from simulators.strategies import RandomWalk, Replay, Strategy
from tests.simulators.programs import play


def failing_where(fails: Callable[[str], bool], **programs: str) -> tuple[StillFails, list[str]]:
    """A test that fails where ``fails`` says so of the order; and the orders that were tried."""
    tried: list[str] = []

    def still_fails(strategy: Strategy) -> Schedule | None:
        played = play(strategy, **programs)
        tried.append(played.order)
        return Schedule(played.choices, complete=True) if fails(played.order) else None

    return still_fails, tried


def found_by_chance(still_fails: StillFails, seed: int = 0) -> Schedule:
    walk = RandomWalk(seed)
    for _ in range(10_000):
        walk.begin()
        schedule = still_fails(walk)
        if schedule is not None:
            return schedule
    raise AssertionError("never failed")


def order_of(schedule: Schedule, **programs: str) -> str:
    replay = Replay(schedule)
    replay.begin()
    return play(replay, **programs).order


@pytest.mark.parametrize("seed", range(20))
def test_what_one_preemption_shows_shrinks_to_one_the_earliest_that_does(seed: int):
    # b has to run between the second and the fourth operation of a
    programs = {"a": "------", "b": "---", "c": "------"}
    still_fails, _ = failing_where(lambda order: 2 <= order[: order.index("b")].count("a") < 4, **programs)

    shrunk = shrink(found_by_chance(still_fails, seed), still_fails)

    assert [str(choice.chosen) for choice in shrunk.deviations] == ["b@1"]
    assert order_of(shrunk, **programs) == "aabbbaaaacccccc"


@pytest.mark.parametrize("seed", range(20))
def test_what_needs_two_deviations_keeps_two(seed: int):
    # b's first operation before a's second, and a's third before b's second
    programs = {"a": "----", "b": "----", "c": "--"}

    def fails(order: str) -> bool:
        a, b = _positions(order, "a"), _positions(order, "b")
        return a[0] < b[0] < a[1] and a[2] < b[1] < a[3]

    still_fails, _ = failing_where(fails, **programs)

    shrunk = shrink(found_by_chance(still_fails, seed), still_fails)

    assert fails(order_of(shrunk, **programs))
    assert len(shrunk.deviations) == 3
    assert order_of(shrunk, **programs) == "abaabbbacc"


def test_what_fails_in_the_usual_order_needs_no_deviation():
    still_fails, _ = failing_where(lambda order: order.startswith("a"), a="---", b="---")

    assert shrink(found_by_chance(still_fails), still_fails).deviations == ()


def test_a_schedule_that_does_not_fail_when_replayed_is_given_back():
    found = found_by_chance(failing_where(lambda order: order == "abab", a="--", b="--")[0])
    never, tried = failing_where(lambda _: False, a="--", b="--")

    assert shrink(found, never) is found
    assert len(tried) == 1


def test_shrinking_tries_no_more_often_than_it_may():
    still_fails, tried = failing_where(lambda order: order[20] == "b", a="-" * 40, b="-" * 40)
    found = found_by_chance(still_fails, seed=3)
    tried.clear()

    shrunk = shrink(found, still_fails, limit=10)

    assert len(tried) == 10
    assert still_fails_of(shrunk, still_fails)


def still_fails_of(schedule: Schedule, still_fails: StillFails) -> bool:
    replay = Replay(schedule)
    replay.begin()
    return still_fails(replay) is not None


def _positions(order: str, run: str) -> list[int]:
    return [position for position, each in enumerate(order) if each == run]
