"""Random: every operation that is possible is as likely as the others."""

import random
from collections.abc import Sequence

from simulators.strategies.base import Operation, Strategy


class RandomWalk(Strategy):
    """Chooses uniformly among what can run, at each decision anew."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same sequence every time is the point
        self._fraction = self._random.random

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """Any one."""
        return pending[int(self._fraction() * len(pending))]
