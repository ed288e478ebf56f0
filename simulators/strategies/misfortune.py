"""Misfortune: which faults strike, for strategies that only know in which order things are done."""

import random
from collections.abc import Sequence

from simulators.partial_order import Event
from simulators.strategies.base import Operation, Strategy, Trace


class Misfortune(Strategy):
    """Leaves order to another strategy, and has faults strike where chance says.

    A fault that is offered at each of many points would strike at the first few of them nearly always. So the
    points are dealt like cards: the first schedule has none, and each of those that follow takes up to
    ``most`` from a shuffled deck of all that were ever offered in one. With one fault for each run, every
    point has had its turn after as many schedules as there are points.
    """

    strikes = True

    def __init__(self, order: Strategy, seed: int = 0, most: int = 1) -> None:
        self.name = order.name
        self.hears = order.hears
        self.fine = order.fine
        self._order = order
        self._most = most
        self._random = random.Random(seed)  # noqa: S311 - the same sequence every time is the point
        self._deck: list[int] = []
        #: how many were offered in one schedule, at most, and how many of those had been dealt
        self._known = 0
        self._offered = 0

    @property
    def current(self) -> str:
        """The name of the strategy that decides the present schedule."""
        return getattr(self._order, "current", self._order.name)

    def begin(self) -> bool:
        """Deal the points of this schedule."""
        self._deal()
        self._offered = 0
        self._seen: set[tuple[str, str]] = set()
        return self._order.begin()

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """A fault whose turn it is; else what the other strategy chooses."""
        calm: list[Operation] = []
        for operation in pending:
            if operation.kind != "fault":
                calm.append(operation)
                continue
            name = operation.run, operation.point
            if name in self._seen:
                continue
            self._seen.add(name)
            number, self._offered = self._offered, self._offered + 1
            if number in self._dealt:
                return operation
        return self._order.choose(calm) if len(calm) > 1 else calm[0]

    def hear(self, event: Event, known: int) -> None:
        """Let the other strategy hear it."""
        self._order.hear(event, known)

    def end(self, trace: Trace) -> None:
        """Hear of what came of the schedule."""
        self._order.end(trace)

    def _deal(self) -> None:
        if self._offered > self._known:
            new = list(range(self._known, self._offered))
            self._random.shuffle(new)
            self._deck = new + self._deck
            self._known = self._offered
        elif self._known and not self._deck:
            self._deck = list(range(self._known))
            self._random.shuffle(self._deck)
        number = self._random.randint(1, self._most) if self._known and self._most else 0
        self._dealt = {self._deck.pop() for _ in range(min(number, len(self._deck)))}
