import math

import pytest

from simulators.alarms import Alarms
from simulators.turns import Lane, Turn


@pytest.fixture
def forgotten() -> list[Turn]:
    return []


@pytest.fixture
def alarms(forgotten: list[Turn]) -> Alarms:
    return Alarms(forgotten.append)


def turn(name: str = "turn") -> Turn:
    return Turn(Lane(name), "alarm")


def test_the_first_moment_rings_first(alarms):
    late, early = turn(), turn()
    alarms.set(2, late)
    alarms.set(1, early)

    assert alarms.ring(math.inf) == (1, [early])
    assert alarms.ring(math.inf) == (2, [late])
    assert alarms.ring(math.inf) is None


def test_what_is_due_at_once_rings_together_in_the_order_in_which_it_was_set(alarms):
    first, second = turn("first"), turn("second")
    alarms.set(0.1 + 0.2, first)
    alarms.set(0.3, second)

    moment, due = alarms.ring(math.inf)

    assert set(due) == {first, second}
    assert moment >= 0.1 + 0.2


def test_nothing_rings_before_its_time(alarms):
    alarms.set(5, turn())

    assert alarms.ring(4.9) is None
    assert alarms.ring(5) is not None


def test_a_cancelled_alarm_lets_no_later_one_ring_before_its_time(alarms):
    alarms.set(1, turn()).cancel()
    alarms.set(9, turn())

    assert alarms.ring(2) is None


def test_a_cancelled_alarm_gives_its_turn_back_once(alarms, forgotten):
    cancelled = turn()
    alarm = alarms.set(1, cancelled)

    alarm.cancel()
    alarm.cancel()

    assert forgotten == [cancelled]
    assert alarms.ring(math.inf) is None


def test_all_that_are_set_come_in_order(alarms):
    moments = [3.0, 1.0, 2.0, 1.0]
    for moment in moments:
        alarms.set(moment, turn())

    assert [alarm.moment for alarm in alarms.in_order()] == sorted(moments)
