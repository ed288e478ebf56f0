"""Fifo: what happens where nothing is in anybody's way."""

from collections.abc import Sequence

from simulators.strategies.base import Operation, Strategy


class Fifo(Strategy):
    """Who runs goes on until it has to wait; then comes who has waited longest. One schedule."""

    name = "fifo"
    exhaustive = True
    cut = "it is one schedule"
    learns = 0
    strikes = True

    def __init__(self) -> None:
        self._begun = False

    def begin(self) -> bool:
        """The first one is the only one."""
        begun, self._begun = self._begun, True
        return not begun

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """The first in line."""
        return pending[0]
