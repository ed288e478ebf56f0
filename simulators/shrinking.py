"""Shrinking: from the schedule that was found to the simplest one that fails the same way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from simulators.schedules import Choice, Schedule
from simulators.strategies import Exhaustive, Replay, Strategy

#: Runs the test once, as the strategy says. The complete schedule it took if it failed in the same way,
#: else None.
StillFails = Callable[[Strategy], Schedule | None]


def shrink(schedule: Schedule, still_fails: StillFails, limit: int = 2_000) -> Schedule:
    """The simplest schedule that still fails: fewest deviations from fifo first, then the earliest.

    Every step is verified by running the test, ``limit`` times at most. Deviations are dropped in ever
    smaller groups (*Zeller and Hildebrandt, IEEE TSE 28(2), 2002*); then all schedules with fewer
    deviations are tried, the smallest numbers first; then what is left is moved forward. Where the
    schedule does not fail any more when it is replayed, it is given back as it is.
    """
    trial = _Trials(still_fails, limit)
    current = trial.deviating(schedule, schedule.deviations)
    if current is None:
        return schedule
    current = _with_fewer(current, trial)
    simpler = _of_fewest if current.timeline is None else _with_less_timeline
    return _earlier(simpler(current, trial), trial)


class _Trials:
    """Runs of the test, until there were enough."""

    def __init__(self, still_fails: StillFails, limit: int) -> None:
        self._still_fails = still_fails
        self.left = limit

    def of(self, strategy: Strategy) -> Schedule | None:
        """The schedule that the test takes under the strategy, which has begun, if it fails."""
        if self.left <= 0:
            return None
        self.left -= 1
        return self._still_fails(strategy)

    def deviating(self, schedule: Schedule, deviations: Sequence[Choice]) -> Schedule | None:
        """The same for the schedule with these deviations and no others."""
        replay = Replay(schedule.deviating(deviations))
        replay.begin()
        return self.of(replay)


def _with_fewer(current: Schedule, trial: _Trials) -> Schedule:
    """Drop deviations in groups, halves first, until none can be spared."""
    size = len(current.deviations)
    while size:
        for start in range(0, len(current.deviations), size):
            kept = current.deviations[:start] + current.deviations[start + size :]
            found = trial.deviating(current, kept)
            if found is not None and len(found.deviations) < len(current.deviations):
                current = found
                size = min(2 * size, len(current.deviations) + 1)  # larger groups may go now
                break
        size //= 2
    return current


def _of_fewest(current: Schedule, trial: _Trials) -> Schedule:
    """Any schedule at all that fails with fewer deviations than those of ``current``."""
    for number in range(1, len(current.deviations)):
        within = Exhaustive(deviations=number)
        enough = trial.left // 2
        while trial.left > enough and within.begin():
            found = trial.of(within)
            if found is not None:
                return found
    return current


def _with_less_timeline(current: Schedule, trial: _Trials) -> Schedule:
    """Hold fewer runs to their recorded times, in groups, halves first, until none can be spared."""
    runs = current.timeline.runs if current.timeline is not None else []
    size = len(runs)
    while size:
        for start in range(0, len(runs), size):
            assert current.timeline is not None
            left = current.timeline.without(runs[start : start + size])
            held_less = replace(current, timeline=left if left.attempts else None)
            found = trial.deviating(held_less, current.deviations)
            if found is not None:
                current, runs = found, found.timeline.runs if found.timeline is not None else []
                size = min(2 * size, len(runs) + 1)
                break
        size //= 2
    return current


def _earlier(current: Schedule, trial: _Trials) -> Schedule:
    """Deviate as early as it still fails: the same run goes on from the same point, only sooner."""
    moved = True
    while moved:
        moved = False
        for candidate in _moved_forward(current):
            found = trial.deviating(current, candidate)
            if found is not None and _simplicity(found) < _simplicity(current):
                current, moved = found, True
                break
    return current


def _moved_forward(schedule: Schedule) -> Iterator[tuple[Choice, ...]]:
    """The deviations with one of them moved to an earlier decision, the earliest first."""
    positions = _positions(schedule)
    for nth, position in enumerate(positions):
        deviation = schedule.choices[position]
        first = positions[nth - 1] + 1 if nth else 0
        since = position
        while since > first and schedule.choices[since - 1].chosen.run != deviation.chosen.run:
            since -= 1
        for earlier in range(since, position):
            instead = Choice(deviation.chosen, schedule.choices[earlier].usual)
            yield (*schedule.deviations[:nth], instead, *schedule.deviations[nth + 1 :])


def _simplicity(schedule: Schedule) -> tuple[int, list[int]]:
    return len(schedule.deviations), _positions(schedule)


def _positions(schedule: Schedule) -> list[int]:
    return [position for position, choice in enumerate(schedule.choices) if choice.deviates]
