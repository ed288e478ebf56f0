"""What a strategy is: a few methods that decide the order of everything."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from simulators.partial_order import Event
from simulators.timelines import Timeline


class Operation(Protocol):
    """Something that could be done next: a run that could go on from the point that it is at."""

    @property
    def run(self) -> str:
        """Who: ``add-0``."""
        ...

    @property
    def process(self) -> str:
        """What comes after what it did before: the run, or a callback that stands for itself."""
        ...

    @property
    def point(self) -> str:
        """Where: the name of the point within the run, as decisions have it."""
        ...

    @property
    def kind(self) -> str:
        """What: ``access``, ``start``, ``alarm``, ``statement`` ..."""
        ...

    @property
    def resource(self) -> Hashable:
        """What is touched, where that is known; None else. Two operations on one resource may depend."""
        ...

    @property
    def writes(self) -> bool:
        """Whether the resource is changed, as far as is known."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether the run moved last and was not made to wait: choosing another one preempts it."""
        ...


class Step(Protocol):
    """One operation that was done."""

    @property
    def run(self) -> str:
        """Who."""
        ...

    @property
    def point(self) -> str:
        """Where."""
        ...

    @property
    def kind(self) -> str:
        """What."""
        ...

    @property
    def resource(self) -> Hashable:
        """What was touched."""
        ...

    @property
    def writes(self) -> bool:
        """Whether it was changed."""
        ...


class Trace(Protocol):
    """What happened under one schedule, for a strategy to learn from."""

    @property
    def steps(self) -> Sequence[Step]:
        """All operations that were done, in order. Made when asked for: asking costs time."""
        ...

    @property
    def length(self) -> int:
        """How many operations were done."""
        ...

    @property
    def blocked(self) -> Sequence[Event]:
        """What waited for a lock when the run ended. For strategies that hear of events."""
        ...

    @property
    def cut_off(self) -> Sequence[Event]:
        """What could have gone on when the run ended. For strategies that hear of events."""
        ...

    @property
    def spare(self) -> Mapping[tuple[str, int, int], float]:
        """Seconds that recorded attempts took beyond what their code takes now."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the run failed."""
        ...


class Strategy(ABC):
    """Decides what is done next. Any class with ``choose`` can be brought along.

    It is asked only where there are at least two operations to choose from. Given the same pending
    operations it must decide alike in every process: no clock, no ``hash()``, no chance but from a seed.
    """

    #: how it is called in reports
    name = "strategy"
    #: whether the schedules it gives, once there are no more, are all that exist
    exhausts = False
    #: whether it looks for all schedules that exist, and so ends by itself
    exhaustive = False
    #: why the schedules that it gave are not all, where they are not
    cut = "it is a sample"
    #: whether it hears of each event
    hears = False
    #: whether what was woken waits for its turn, and taking what is free is a point, at every level
    fine = False
    #: how many schedules it learns from; seed and number alone decide those that come after them, so that
    #: several processes can share them
    learns: float = math.inf
    #: whether it chooses faults too, which are operations of the kind ``fault``; else they are drawn for it
    strikes = False
    #: the times that the present schedule keeps to
    timeline: Timeline | None = None

    @property
    def bounds(self) -> Mapping[str, float]:
        """The limits that it keeps to, by name."""
        return {}

    def begin(self) -> bool:
        """Get ready for another schedule; False where there is none left."""
        return True

    @abstractmethod
    def choose(self, pending: Sequence[Operation]) -> Operation:
        """One of ``pending``, which stand in the order in which fifo would take them."""

    def hear(self, event: Event, known: int) -> None:
        """Hear what was done, and all that it touched, also where there was nothing to choose.

        ``known``: how many things have got numbers in the run so far.
        """
        del event, known

    def end(self, trace: Trace) -> None:
        """Hear of what came of the schedule."""
        del trace
