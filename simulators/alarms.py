"""Alarms: turns that come at a moment of virtual time."""

import heapq
import itertools
from collections.abc import Callable
from math import ceil

from simulators.turns import Turn


class Alarm:
    """A turn that comes at a moment of virtual time."""

    __slots__ = ("_forget", "moment", "turn")

    def __init__(self, moment: float, turn: Turn, forget: Callable[[Turn], object]) -> None:
        self.moment = moment
        #: None, once it is not to come
        self.turn: Turn | None = turn
        self._forget = forget

    def cancel(self) -> None:
        """Let it not come, also where it is due and waits to be taken."""
        turn, self.turn = self.turn, None
        if turn is not None:
            self._forget(turn)


class Alarms:
    """The alarms that are set. ``forget`` takes a turn that is due back."""

    def __init__(self, forget: Callable[[Turn], object]) -> None:
        self._forget = forget
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()

    def set(self, moment: float, turn: Turn) -> Alarm:
        """Let ``turn`` come at that moment."""
        moment = on_grid(moment)
        alarm = Alarm(moment, turn, self._forget)
        heapq.heappush(self._heap, (moment, next(self._order), alarm))
        return alarm

    def ring(self, by: float) -> tuple[float, list[Turn]] | None:
        """What is due first, and when; None where nothing is set for a moment until ``by``."""
        heap = self._heap
        while heap and heap[0][0] <= by:
            moment, _, alarm = heapq.heappop(heap)
            if alarm.turn is None:
                continue
            due = [alarm.turn]
            together = moment + _AT_ONCE
            while heap and heap[0][0] <= together:
                moment, _, alarm = heapq.heappop(heap)
                if alarm.turn is not None:
                    due.append(alarm.turn)
            return moment, due
        return None

    def next(self) -> float | None:
        """The moment for which the first is set."""
        heap = self._heap
        while heap and heap[0][2].turn is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def in_order(self) -> list[Alarm]:
        """All that are set, the first to come first."""
        return [alarm for _, _, alarm in sorted(self._heap, key=lambda entry: entry[:2])]


def on_grid(moment: float) -> float:
    """The first moment from then on of those that floats keep exactly.

    Alarms are set for these, so that nobody wakes a hair too early by his own clock.
    """
    return ceil(moment * _TICKS) / _TICKS


#: virtual time is kept in steps of about a microsecond
_TICKS = 2.0**20
#: alarms that are this close are due at once: 0.1 + 0.2 seconds are 0.3
_AT_ONCE = 8 / _TICKS
