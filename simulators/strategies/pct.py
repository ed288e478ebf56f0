"""PCT: priorities at random, changed at few moments."""

from collections.abc import Sequence

from simulators.strategies.base import Operation, Strategy
from simulators.strategies.chance import chance_of


class PCT(Strategy):
    """Each run has a priority, drawn when it is first seen; the highest goes first.

    At ``depth - 1`` moments, drawn from the horizon, whoever leads falls behind all others. A bug that
    takes ``d`` orderings between ``n`` runs of ``k`` decisions in all is found with a probability of at
    least ``1 / (n * k ** (d - 1))`` in each schedule of depth ``d``: *Burckhardt, Kothari, Musuvathi and
    Nagarakatte, ASPLOS 2010*. They are told ``k``; here it is the longest of the first ten schedules, and
    depths from 1 to ``depth`` take turns. A run that leads for far longer than the horizon falls behind too,
    since it may be waiting for another one in a loop.
    """

    name = "pct"
    learns = 10

    def __init__(self, seed: int = 0, depth: int = 3) -> None:
        if depth < 1:
            raise ValueError(f"depth must be 1 or more, not {depth}")
        self._seed = seed
        self._depth = depth
        self._schedules = 0
        self._horizon = 1
        self._decisions = 0

    def begin(self) -> bool:
        """Draw the moments of change."""
        depth = self._schedules % self._depth + 1
        self._random = chance_of(self._seed, self._schedules)
        if self._schedules <= self.learns:
            self._horizon = max(self._horizon, self._decisions)
        self._schedules += 1
        self._decisions = 0
        self._priorities: dict[str, float] = {}
        self._lowest = 0.0
        self._changes = {self._random.randrange(self._horizon) for _ in range(depth - 1)}
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """The operation of the run with the highest priority."""
        priorities = self._priorities
        for operation in pending:
            if operation.run not in priorities:
                priorities[operation.run] = self._random.random()
        decision, self._decisions = self._decisions, self._decisions + 1
        leader = max(pending, key=lambda operation: priorities[operation.run])
        if decision in self._changes or (decision and decision % (4 * self._horizon + 64) == 0):
            self._lowest -= 1.0
            priorities[leader.run] = self._lowest
            leader = max(pending, key=lambda operation: priorities[operation.run])
        return leader
