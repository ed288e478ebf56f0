"""Events, and which of them depend on each other.

Names of things
---------------
Objects are made anew in each execution. A lock, a future and the like is known by who made it, and as how
manieth: the same in every execution that comes to it. Users give names themselves. Anything else is known by
a number: as how manieth it was first touched. What two executions have touched before they part has the same
number in both. Of two things that were first touched after that, each in its own execution, nobody can say
that they are different; they are taken for the same, which costs an execution at worst.
"""

from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple


class _Anything:
    """Whatever is in a thing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ANYTHING"


#: Time that goes on, as a process.
TIME = "time"
#: The key of an access to all that is in a thing.
ANYTHING = _Anything()


class Access(NamedTuple):
    """One thing that an event touched."""

    #: its name
    thing: Hashable
    #: which part of the thing
    key: Hashable = ANYTHING
    writes: bool = True
    #: whether somebody who waits for the thing, as for a lock, could have had it just before
    free: bool = False


class Event:
    """One step of a process: what it touched, and what had to come before it."""

    __slots__ = ("accesses", "after", "causes", "ends", "instead", "kills", "point", "process", "waits_for")

    def __init__(
        self,
        process: str,
        accesses: Collection[Access] = (),
        point: str = "",
        causes: Sequence[int] = (),
        after: int = 0,
        waits_for: Hashable = None,
        *,
        ends: bool = False,
        instead: "Sequence[Event]" = (),
        kills: "Sequence[Event]" = (),
    ) -> None:
        self.process = process
        self.point = point
        self.accesses = accesses
        #: earlier events, by position, that made it possible, besides the last one of its own process
        self.causes = causes
        #: so many events came before virtual time went on for the last time
        self.after = after
        #: what it could not happen without having: a lock
        self.waits_for = waits_for
        #: whether it ended the run: whatever would come after it does not come at all
        self.ends = ends
        #: faults that could have struck just before it, in its place
        self.instead = instead
        #: what could have been next, and never comes because of it
        self.kills = kills

    def __repr__(self) -> str:
        return f"<{self.process}@{self.point} {list(self.accesses)}>"


def dependent(one: Event, other: Event, known: int) -> bool:
    """Whether the order of two events of different processes, of any two executions, matters.

    Args:
        one: an event of one execution.
        other: an event of another execution.
        known: how many things had got numbers before the two executions parted.
    """
    if one.ends or other.ends:
        return True
    return any(
        (access.writes or with_access.writes)
        and overlap(access.key, with_access.key)
        and (access.thing == with_access.thing or _both_new(access.thing, with_access.thing, known))
        for access in one.accesses
        for with_access in other.accesses
    )


def overlap(key: Hashable, other: Hashable) -> bool:
    """Whether two parts of a thing have something in common."""
    return key is ANYTHING or other is ANYTHING or key == other


def _both_new(thing: Hashable, other: Hashable, known: int) -> bool:
    return type(thing) is int and type(other) is int and thing >= known and other >= known
