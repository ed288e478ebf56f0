"""The partial order of one execution, and the races in it.

Sets of events are whole numbers, a bit for each position: small, and fast to unite and to compare.
"""

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from simulators.partial_order.events import ANYTHING, Access, Event, overlap


class Race(NamedTuple):
    """Two events that depend on each other, nothing between them, that could come the other way round."""

    #: a position
    first: int
    second: Event
    #: what the second one comes after, whichever way round
    past: int


class Order:
    """The events of one execution, and for each those that happened before it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        #: for each event those before it, without itself
        self.past: list[int] = []
        #: for each event the races that it is second in
        self.races: list[list[Race]] = []
        self._last: dict[str, list[int]] = {}
        self._touched: dict[Hashable, list[tuple[int, Access]]] = {}

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.events)

    def cut(self, length: int) -> None:
        """Forget all events but the first ``length``."""
        for event in reversed(self.events[length:]):
            self._last[event.process].pop()
            for access in event.accesses:
                self._touched[access.thing].pop()
        del self.events[length:], self.past[length:], self.races[length:]

    def add(self, event: Event) -> None:
        """One more event, the last so far."""
        index = len(self.events)
        past, races = self.placed(event)
        self.events.append(event)
        self.past.append(past)
        self.races.append(races)
        self._last.setdefault(event.process, []).append(index)
        for access in event.accesses:
            self._touched.setdefault(access.thing, []).append((index, access))
        for killed in event.kills:
            races.extend(self.placed(killed)[1])

    def placed(self, event: Event) -> tuple[int, list[Race]]:
        """What an event that came now would come after, and its races.

        Who waited for a lock cannot come before it is given back, but may come before it was taken. What
        only led from the taking to the giving back does not bind it then: ``apart`` is its past without that.
        """
        races: list[Race] = []
        apart = past = self._causes(event)
        conflicts = self._conflicts(event)
        for other in sorted(conflicts, reverse=True):
            bit = 1 << other
            access = conflicts[other]
            if access is None:
                if not past & bit:
                    races.append(Race(other, event, past))
                    past |= self.past[other] | bit
                    apart |= self.past[other] | bit
            else:
                if access.free:
                    if not apart & bit:
                        races.append(Race(other, event, apart))
                    apart |= self.past[other] | bit
                past |= self.past[other] | bit
        return past, races

    def after(self, first: int) -> Iterator[int]:
        """What comes after the event at ``first``, and not because of it."""
        bit = 1 << first
        return (index for index in range(first + 1, len(self.past)) if not self.past[index] & bit)

    def _causes(self, event: Event) -> int:
        past = (1 << event.after) - 1
        for cause in event.causes:
            past |= self.past[cause] | 1 << cause
        if last := self._last.get(event.process):
            past |= self.past[last[-1]] | 1 << last[-1]
        return past

    def _conflicts(self, event: Event) -> dict[int, Access | None]:
        """Events that it depends on; with the first access to what it waited for, if they have one.

        Those that another one of them comes after anyway may be missing.
        """
        found: dict[int, Access | None] = {}
        awaited = event.waits_for
        for access in event.accesses:
            if awaited is None or access.thing != awaited:
                for other in self._before(access):
                    found[other] = None
        if awaited is not None:
            writes = any(access.writes for access in event.accesses if access.thing == awaited)
            found.update(self._holders(awaited, writes=writes))
        if event.ends:
            for process, last in self._last.items():
                if process != event.process and last:
                    found[last[-1]] = None
        return found

    def _before(self, access: Access) -> Iterator[int]:
        thing, key, writes, _ = access
        for other, touched in reversed(self._touched.get(thing, ())):
            if (writes or touched.writes) and overlap(key, touched.key):
                yield other
                if touched.writes and (touched.key is ANYTHING or touched.key == key):
                    return  # whatever else there is came before this one

    def _holders(self, thing: Hashable, *, writes: bool) -> dict[int, Access]:
        found: dict[int, Access] = {}
        taken = -1
        for other, touched in reversed(self._touched.get(thing, ())):
            if taken >= 0 and other != taken:
                break  # whatever else there is came before it was taken
            if writes or touched.writes:
                found[other] = touched  # of several by one event, the first counts
                if touched.free and touched.writes:
                    taken = other
        return found
