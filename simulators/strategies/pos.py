"""POS: a priority for each operation, drawn anew where two of them race."""

from collections.abc import Sequence

from simulators.strategies.base import Operation, Strategy
from simulators.strategies.chance import chance_of


class POS(Strategy):
    """Each pending operation has a priority; the highest is done. Those that race with it draw again.

    So the orders of operations that depend on each other come out more evenly than under a random walk:
    *Yuan, Yang and Gu, CAV 2018*. Two operations race where they touch one resource and one of them writes.
    """

    name = "pos"
    learns = 0

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._schedules = 0

    def begin(self) -> bool:
        """Forget all priorities."""
        self._random = chance_of(self._seed, self._schedules)
        self._schedules += 1
        self._priorities: dict[tuple[str, str], float] = {}
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """The operation with the highest priority."""
        priorities = self._priorities
        best, highest = pending[0], -1.0
        for operation in pending:
            key = operation.run, operation.point
            priority = priorities.get(key)
            if priority is None:
                priority = priorities[key] = self._random.random()
            if priority > highest:
                best, highest = operation, priority
        del priorities[best.run, best.point]
        if best.resource is not None:
            for operation in pending:
                if operation is not best and _race(best, operation):
                    del priorities[operation.run, operation.point]
        return best


def _race(one: Operation, other: Operation) -> bool:
    return one.resource == other.resource and (one.writes or other.writes)
