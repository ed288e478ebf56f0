"""Data races: two accesses to one thing, one of them a write, that no synchronisation orders.

Clocks of vectors, with the last write and the last reads of each thing: *Flanagan and Freund, FastTrack,
PLDI 2009*. A thread here is whatever takes turns by itself. The steps of an event loop are one thread: no
two of them are ever under way at once, so they can overwrite each other's work, but not race.

This order has nothing of what values accesses found, nor of time: who sleeps until another one should be
ready has not waited for it.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol

from simulators.partial_order.events import ANYTHING


class Where(Protocol):
    """Where an access stands in the source."""

    @property
    def file(self) -> str:
        """The file."""
        ...

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        ...

    @property
    def function(self) -> str:
        """The qualified name of the function."""
        ...


class Spot(NamedTuple):
    """A place in the source."""

    file: str
    line: int
    function: str


class Racing(NamedTuple):
    """One of the two accesses."""

    #: who, and the name of its point
    run: str
    point: int | str
    writes: bool
    where: Where


#: Hears of the thing, the key in it, and the two accesses, in the order in which they were made.
Heard = Callable[[Hashable, Hashable, Racing, Racing], None]


#: The time of an event: its thread, the number by that one's clock, and what it knew of the others' clocks.
_Stamp = tuple[Hashable, int, dict[Hashable, int]]


class _Variable:
    """The last write, and the reads since then, by thread."""

    __slots__ = ("reads", "write")

    def __init__(self) -> None:
        self.write: tuple[Hashable, int, Racing] | None = None
        self.reads: dict[Hashable, tuple[int, Racing]] = {}


class RaceDetector:
    """Hears what one execution does, in order, and tells of the races in it."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        #: for each event its time; None for the present one
        self._stamps: list[_Stamp | None] = []
        self._counts: dict[Hashable, int] = {}
        #: for each thread the newest events of the others that it comes after
        self._known: dict[Hashable, dict[Hashable, int]] = {}
        #: by which event a thing that synchronises was last changed
        self._changed: dict[tuple[Hashable, Hashable], int] = {}
        self._variables: dict[Hashable, dict[Hashable, _Variable]] = {}
        self._thread: Hashable = None

    def begin(self, thread: Hashable, causes: Sequence[int]) -> None:
        """An event of a thread begins, made possible by earlier ones."""
        self._thread = thread
        self._counts[thread] = self._counts.get(thread, 0) + 1
        self._stamps.append(None)
        for cause in causes:
            self.comes_after(cause)

    def finish(self) -> None:
        """The event is over."""
        thread = self._thread
        self._stamps[-1] = thread, self._counts[thread], self._known.get(thread, _NOTHING)

    def comes_after(self, index: int) -> None:
        """What is done from now on comes after that event."""
        stamp = self._stamps[index]
        if stamp is None:
            return
        other, number, others = stamp
        if other == self._thread:
            return
        known = self._known.get(self._thread, _NOTHING)
        if known.get(other, 0) >= number:
            return
        known = dict(known)
        for thread, count in (*others.items(), (other, number)):
            if known.get(thread, 0) < count:
                known[thread] = count
        self._known[self._thread] = known

    def synchronise(self, thing: Hashable, key: Hashable, *, writes: bool) -> None:
        """A lock, a state or the like is looked at, or changed: after whoever changed it last."""
        changed = self._changed.get((thing, key))
        if changed is not None:
            self.comes_after(changed)
        if writes:
            self._changed[thing, key] = len(self._stamps) - 1

    def access(self, thing: Hashable, key: Hashable, racing: Racing) -> None:
        """Something that does not synchronise is read or written."""
        thread = self._thread
        variables = self._variables.setdefault(thing, {})
        mine = variables.get(key)
        if mine is None:
            mine = variables[key] = _Variable()
        others: Iterable[_Variable | None] = (
            variables.values() if key is ANYTHING else (mine, variables.get(ANYTHING))
        )
        known = self._known.get(thread, _NOTHING)
        for other in others:
            if other is not None:
                self._compare(other, thing, key, racing, known)
        if racing.writes:
            mine.write = thread, self._counts[thread], racing
            mine.reads.clear()
        else:
            mine.reads[thread] = self._counts[thread], racing

    def _compare(
        self, other: _Variable, thing: Hashable, key: Hashable, racing: Racing, known: dict[Hashable, int]
    ) -> None:
        if (write := other.write) is not None:
            thread, count, before = write
            if thread != self._thread and known.get(thread, 0) < count:
                self._heard(thing, key, before, racing)
        if racing.writes:
            for thread, (count, before) in other.reads.items():
                if thread != self._thread and known.get(thread, 0) < count:
                    self._heard(thing, key, before, racing)


_NOTHING: dict[Hashable, int] = {}
