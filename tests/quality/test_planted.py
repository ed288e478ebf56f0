"""Every planted bug is found by every strategy that can, within so many schedules, and shrinks to so little.

The numbers are what was measured with seed 0, rounded up: they may get smaller, not larger.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from simulators import Execution, Points, Schedule, explore, replay
from simulators.conditions import Conditions
from simulators.exceptions import Deadlock
from simulators.strategies import Divergence, Replay
from tests.quality.planted import locks, loops, memory, timing


@dataclass(frozen=True)
class Planted:
    """One bug: what it fails with, how much it shrinks to, and who finds it within how many schedules."""

    test: Callable[[], None]
    error: type[BaseException]
    #: decisions that the simplest schedule takes
    decisions: int
    within: Mapping[str, int]
    points: Points = "statements"

    def __str__(self) -> str:
        return self.test.__name__


def _within(random: int, pct: int, pos: int, portfolio: int, guided: int) -> dict[str, int]:
    return {"random": random, "pct": pct, "pos": pos, "portfolio": portfolio, "guided": guided}


PLANTED = [
    Planted(memory.lost_update, AssertionError, 1, _within(5, 40, 5, 5, 5)),
    Planted(memory.check_then_act, AssertionError, 1, _within(5, 20, 5, 5, 5)),
    Planted(memory.bank_transfer, AssertionError, 1, _within(5, 5, 5, 5, 5)),
    Planted(memory.cache_stampede, AssertionError, 1, _within(5, 10, 5, 5, 5)),
    Planted(memory.lazy_singleton, AssertionError, 1, _within(5, 5, 5, 5, 5)),
    Planted(memory.published_too_early, AssertionError, 1, _within(5, 20, 5, 5, 5)),
    Planted(memory.torn_read, AssertionError, 1, _within(5, 40, 5, 5, 5)),
    Planted(memory.changed_while_iterated, RuntimeError, 1, _within(5, 20, 20, 5, 40)),
    Planted(memory.used_after_close, OSError, 1, _within(5, 5, 5, 5, 5)),
    Planted(memory.lost_line_in_a_file, AssertionError, 1, _within(5, 40, 5, 5, 5)),
    Planted(memory.same_number_twice, AssertionError, 1, _within(5, 5, 5, 5, 5)),
    Planted(memory.overdrawn, AssertionError, 1, _within(5, 20, 5, 5, 5)),
    Planted(locks.lock_inversion, Deadlock, 1, _within(5, 20, 5, 5, 5), "operations"),
    Planted(locks.dining_philosophers, Deadlock, 2, _within(5, 60, 10, 10, 10), "operations"),
    Planted(locks.missed_notification, Deadlock, 2, _within(20, 10, 40, 30, 20)),
    Planted(locks.one_notified_of_two, Deadlock, 1, _within(30, 5, 5, 10, 5), "operations"),
    Planted(locks.event_cleared_too_late, Deadlock, 2, _within(20, 60, 5, 5, 5), "operations"),
    Planted(locks.empty_queue, Exception, 1, _within(5, 20, 5, 5, 5), "operations"),
    Planted(locks.too_few_seats, Deadlock, 1, _within(5, 60, 5, 5, 5), "operations"),
    Planted(locks.unlocked_on_the_way, AssertionError, 1, _within(5, 10, 5, 5, 5), "operations"),
    Planted(timing.completed_in_order, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(timing.applied_twice_on_retry, AssertionError, 2, _within(20, 40, 10, 30, 30)),
    Planted(timing.retry_storm, AssertionError, 2, _within(5, 5, 40, 5, 20)),
    Planted(timing.semaphore_leaked_on_timeout, Deadlock, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(timing.stale_after_timeout, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(timing.last_writer_wins, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(timing.flushed_twice, AssertionError, 1, _within(5, 10, 5, 5, 5)),
    Planted(timing.woken_by_nobody, AssertionError, 1, _within(10, 10, 60, 20, 20)),
    Planted(loops.lost_update_across_await, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(loops.token_refreshed_twice, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(loops.lock_looked_at, AssertionError, 1, _within(5, 5, 5, 5, 5), "operations"),
    Planted(loops.permit_lost_on_timeout, Deadlock, 1, _within(5, 5, 5, 5, 5), "operations"),
]


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_no_planted_bug_strikes_in_the_usual_order(planted: Planted):
    usual = explore(planted.test, strategy="fifo", points=planted.points)

    assert [str(failure) for failure in usual.failures] == []


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "portfolio", "guided"])
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_every_planted_bug_is_found_and_shrinks(planted: Planted, strategy: str):
    limit = planted.within[strategy]

    found = explore(planted.test, strategy=strategy, points=planted.points, schedules=limit)

    assert len(found.failures) == 1, found.certificate
    failure = found.failures[0]
    assert isinstance(failure.error, planted.error)
    assert len(failure.shrunk.deviations) == planted.decisions, str(failure)


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_found_bug_is_reproduced_by_its_token_every_time(planted: Planted):
    token = str(explore(planted.test, points=planted.points, strategy="pos").failures[0].shrunk)

    replayed = replay(planted.test, token)
    again = _replays(planted.test, Schedule.parse(token), 99)

    assert [_account(execution) for execution in again] == 99 * [_account(replayed)]
    assert isinstance(replayed.error, planted.error)
    assert replayed.divergence is None


def _replays(test: Callable[[], None], schedule: Schedule, times: int) -> Iterator[Execution]:
    """The same under the same conditions, which need not be made anew each time."""
    with Conditions.of(schedule).executor(test) as executor:
        for _ in range(times):
            strategy = Replay(schedule)
            strategy.begin()
            yield executor.run(strategy)


def _account(execution: Execution) -> tuple[type[BaseException], str, Divergence | None]:
    return type(execution.error), execution.digest, execution.divergence
