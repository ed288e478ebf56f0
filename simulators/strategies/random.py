"""Random: every operation that is possible is as likely as the others."""

from collections.abc import Sequence

from simulators.strategies.base import Operation, Strategy
from simulators.strategies.chance import chance_of


class RandomWalk(Strategy):
    """Chooses uniformly among what can run, at each decision anew."""

    name = "random"
    learns = 0

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._schedules = 0

    def begin(self) -> bool:
        """Draw anew."""
        self._fraction = chance_of(self._seed, self._schedules).random
        self._schedules += 1
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """Any one."""
        return pending[int(self._fraction() * len(pending))]
