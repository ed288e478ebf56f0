"""A cluster in virtual time that does recorded work: each slot takes the oldest piece that is ready.

This is list scheduling (*Graham, Bell System Technical Journal 45(9), 1966*): what Dask and Ray come to where
data is small. Not modelled: how long data travels, memory, and workers that differ.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from simulators.exceptions import SimulatorError
from simulators.planning.work import Piece, Work

_SUBMITTED, _ENDED = 0, 1


@dataclass(frozen=True)
class Plan:
    """Work done on a cluster: who began and ended when."""

    work: Work = field(repr=False)
    workers: int
    threads: int
    #: moments, in seconds, of each piece
    began: Sequence[float] = field(repr=False)
    ended: Sequence[float] = field(repr=False)
    #: for each piece the one that it came after at once; None where it waited for none
    _causes: Sequence[int | None] = field(repr=False)

    @cached_property
    def makespan(self) -> float:
        """Seconds from the beginning of the flow to its end."""
        return max(self.ended, default=0.0) + self.work.tail

    @cached_property
    def utilisation(self) -> float:
        """The share of the cluster's time in which it worked, from 0 to 1."""
        room = self.makespan * self.workers * self.threads
        return self.work.total / room if room else 0.0

    @cached_property
    def chain(self) -> list[Piece]:
        """What the end of the flow waited for, from its beginning: with slots for all, the critical path."""
        chain: list[Piece] = []
        place = max(range(len(self.ended)), key=self.ended.__getitem__, default=None)
        counts = True
        while place is not None:
            piece, cause = self.work.pieces[place], self._causes[place]
            if counts:
                chain.append(piece)
            # What was only submitted before is not waited for: there the flow's own code took the time.
            counts = cause in piece.upstream or piece.event != "submission"
            place = cause
        return chain[::-1]

    def busy(self, columns: int) -> list[float]:
        """How many slots were at work, on average, in each of so many equal parts of the makespan."""
        width = self.makespan / columns if self.makespan else 1.0
        sums = [0.0] * columns
        for began, ended in zip(self.began, self.ended, strict=True):
            first, last = int(began / width), min(int(ended / width), columns - 1)
            for column in range(first, last + 1):
                sums[column] += min(ended, (column + 1) * width) - max(began, column * width)
        return [total / width for total in sums]


def plan(work: Work, workers: int, *, threads: int = 1, overhead: float = 0.0) -> Plan:
    """Do the work on so many workers of so many threads; ``overhead`` are seconds more for each piece."""
    if workers < 1 or threads < 1 or not overhead >= 0:
        raise SimulatorError("A cluster has 1 worker or more, of 1 thread or more, and no overhead below 0")
    return _Cluster(work, workers * threads, overhead).run(workers, threads)


def critical_path(work: Work, *, overhead: float = 0.0) -> Plan:
    """The work on a cluster that has a slot for each piece: no cluster is faster."""
    return plan(work, max(1, len(work.pieces)), overhead=overhead)


def fewest_workers(
    work: Work, deadline: float, *, threads: int = 1, overhead: float = 0.0, most: int = 100_000
) -> Plan | None:
    """The plan with the fewest workers that ends in time; None where no number of them does.

    More workers may take longer now and then (Graham's anomalies); what is given does end in time, and one
    worker fewer does not.
    """

    def on(workers: int) -> Plan:
        return plan(work, workers, threads=threads, overhead=overhead)

    if critical_path(work, overhead=overhead).makespan > deadline:
        return None
    too_few, enough = 0, 1
    while (found := on(enough)).makespan > deadline:
        if enough >= most:
            return None
        too_few, enough = enough, min(2 * enough, most)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        tried = on(middle)
        if tried.makespan <= deadline:
            enough, found = middle, tried
        else:
            too_few = middle
    return found


class _Cluster:
    def __init__(self, work: Work, slots: int, overhead: float) -> None:
        self._work = work
        self._free = slots
        self._overhead = overhead
        count = len(work.pieces)
        self._began = [0.0] * count
        self._ended = [0.0] * count
        self._causes: list[int | None] = [None] * count
        #: inputs that are still to come, and one more until it is submitted
        self._lacks = [len(piece.upstream) + 1 for piece in work.pieces]
        self._downstream: list[list[int]] = [[] for _ in work.pieces]
        self._anchored: dict[tuple[int | None, str], list[int]] = {}
        for place, piece in enumerate(work.pieces):
            for other in piece.upstream:
                self._downstream[other].append(place)
            self._anchored.setdefault((piece.anchor, piece.event), []).append(place)
        self._events: list[tuple[float, int, int]] = []
        self._ready: list[int] = []

    def run(self, workers: int, threads: int) -> Plan:
        self._came(None, "submission", 0.0)
        while self._events:
            moment, kind, place = heapq.heappop(self._events)
            if kind == _SUBMITTED:
                self._came(place, "submission", moment)
                self._has_one_more(place, self._work.pieces[place].anchor)
            else:
                self._end(place, moment)
            if not self._events or self._events[0][0] > moment:
                self._begin(moment)
        return Plan(self._work, workers, threads, self._began, self._ended, self._causes)

    def _came(self, anchor: int | None, event: str, moment: float) -> None:
        for place in self._anchored.get((anchor, event), ()):
            heapq.heappush(self._events, (moment + self._work.pieces[place].delay, _SUBMITTED, place))

    def _has_one_more(self, place: int, cause: int | None) -> None:
        self._lacks[place] -= 1
        if not self._lacks[place]:
            self._causes[place] = cause
            heapq.heappush(self._ready, place)

    def _begin(self, moment: float) -> None:
        while self._ready and self._free:
            place = heapq.heappop(self._ready)
            self._free -= 1
            self._began[place] = moment
            ended = self._ended[place] = moment + self._work.pieces[place].work + self._overhead
            heapq.heappush(self._events, (ended, _ENDED, place))
            self._came(place, "beginning", moment)

    def _end(self, place: int, moment: float) -> None:
        self._free += 1
        for other in self._downstream[place]:
            self._has_one_more(other, place)
        self._came(place, "end", moment)
