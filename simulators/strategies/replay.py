"""Replay: the schedule that somebody found."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from simulators.schedules import Choice, Decision, Schedule
from simulators.strategies.base import Operation, Strategy


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a replay left its record, since the code is not what it was."""

    #: the position among the decisions, counted from 0
    index: int
    expected: Decision
    #: what could run instead
    pending: tuple[Decision, ...]

    def __str__(self) -> str:
        can_run = ", ".join(str(decision) for decision in self.pending) or "nothing was left to decide"
        return f"decision {self.index}: expected {self.expected}; can run: {can_run}"


class Replay(Strategy):
    """Decides as the schedule says, and as fifo would where it says nothing. One schedule.

    A deviation is kept by what it deviates from, not by its position, so it is found again where edits
    have moved it. Where the code has changed too much, it says so in ``divergence`` and goes on with fifo.
    """

    name = "replay"
    exhaustive = True
    cut = "it is one schedule"
    strikes = True

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.fine = schedule.fine
        self.timeline = schedule.timeline
        self._begun = False
        #: the first place where the record was left
        self.divergence: Divergence | None = None

    def begin(self) -> bool:
        """The first one is the only one."""
        if self._begun:
            return False
        self._begun = True
        self.divergence = None
        self._index = 0
        self._deviations: dict[Decision, deque[Choice]] = defaultdict(deque)
        for deviation in self._schedule.deviations:
            self._deviations[deviation.usual].append(deviation)
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What the schedule names, if it can run."""
        index, self._index = self._index, self._index + 1
        usual = pending[0]
        chosen = usual
        waiting = self._deviations.get(Decision(usual.run, usual.point))
        if waiting:
            deviation = waiting.popleft()
            found = _find(pending, deviation.chosen)
            if found is None:
                self._left(index, deviation.chosen, pending)
            else:
                chosen = found
        if self._schedule.complete and self.divergence is None:
            expected = self._schedule.choices[index].chosen if index < len(self._schedule.choices) else None
            if expected is not None and expected != Decision(chosen.run, chosen.point):
                self._left(index, expected, pending)
        return chosen

    def left_over(self) -> Divergence | None:
        """The divergence, also where a deviation was never come to. To be asked after the run."""
        if self.divergence is None:
            for deviation in self._schedule.deviations:
                if deviation in self._deviations[deviation.usual]:
                    return Divergence(self._index, deviation.chosen, ())
        return self.divergence

    def _left(self, index: int, expected: Decision, pending: Sequence[Operation]) -> None:
        if self.divergence is None:
            can_run = tuple(Decision(operation.run, operation.point) for operation in pending)
            self.divergence = Divergence(index, expected, can_run)


def _find(pending: Sequence[Operation], decision: Decision) -> Operation | None:
    for operation in pending:
        if operation.run == decision.run and operation.point == decision.point:
            return operation
    return None
