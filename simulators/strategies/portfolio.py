"""Portfolio: several strategies in turn, more often those that still show something new."""

import math
from collections.abc import Sequence

from simulators.strategies.base import Operation, Step, Strategy, Trace
from simulators.strategies.fifo import Fifo
from simulators.strategies.orders import orders
from simulators.strategies.pct import PCT
from simulators.strategies.pos import POS
from simulators.strategies.random import RandomWalk

#: orders that are remembered: a search that runs for days must not fill the memory
MOST_SEEN = 200_000


class Portfolio(Strategy):
    """Fifo first: what fails there needs no search. Then whichever strategy promises most.

    A schedule is new when it shows an order of two dependent events, from different runs, that none before
    it showed. Which strategy is next is a bandit's question: *Auer, Cesa-Bianchi and Fischer, Machine
    Learning 47, 2002 (UCB1)*, with newness as the gain. Another way to find news than these can be
    brought along as ``strategies``.
    """

    name = "portfolio"

    def __init__(self, seed: int = 0, strategies: Sequence[Strategy] = ()) -> None:
        self._fifo = Fifo()
        self._arms = [_Arm(strategy) for strategy in strategies or (RandomWalk(seed), PCT(seed), POS(seed))]
        self._current: _Arm | None = None
        self._seen: set[_Order] = set()

    @property
    def current(self) -> str:
        """The name of the strategy that decides the present schedule."""
        return self._fifo.name if self._current is None else self._current.strategy.name

    def begin(self) -> bool:
        """Choose who decides next."""
        if self._fifo.begin():
            return True
        while self._arms:
            played = sum(arm.played for arm in self._arms)
            self._current = max(self._arms, key=lambda arm: arm.promise(played))
            if self._current.strategy.begin():
                return True
            self._arms.remove(self._current)
        return False

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What the strategy of this schedule chooses."""
        chosen_by = self._fifo if self._current is None else self._current.strategy
        return chosen_by.choose(pending)

    def end(self, trace: Trace) -> None:
        """Hear whether the schedule showed anything new."""
        shown = _orders(trace.steps)
        new = not shown <= self._seen
        if len(self._seen) < MOST_SEEN:
            self._seen |= shown
        if self._current is not None:
            self._current.strategy.end(trace)
            self._current.played += 1
            self._current.gained += new


class _Arm:
    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.played = 0
        self.gained = 0

    def promise(self, played: int) -> float:
        """What may be hoped for of one more schedule, when ``played`` were had in all."""
        if not self.played:
            return math.inf
        return self.gained / self.played + math.sqrt(2.0 * math.log(played) / self.played)


#: one event, and the one before it that it depends on
_Order = tuple[str, str, str, str]


def _orders(steps: Sequence[Step]) -> set[_Order]:
    """The orders of two events that depend on each other, from different runs."""
    return {
        (earlier.run, earlier.point, step.run, step.point)
        for before, step in orders(steps)
        for earlier in before
        if earlier.run != step.run
    }
