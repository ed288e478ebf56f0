"""Each fault: the usual order, and in it each fault at each point, one run after the other."""

from collections.abc import Sequence

from simulators.strategies.base import Operation
from simulators.strategies.exhaustive import Exhaustive


class EachFault(Exhaustive):
    """Lets faults strike wherever they may, and else does as fifo would.

    Where several may strike in a run, all their combinations have their turn.
    """

    name = "faults"
    cut = "it keeps to the usual order"

    def __init__(self) -> None:
        super().__init__()
        self.exhausts = False

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """The first in line, or what may strike there."""
        usual = pending[0]
        here = [
            operation
            for operation in pending
            if operation.kind == "fault"
            and operation.run == usual.run
            and operation.point.startswith(f"{usual.point}!")
        ]
        return super().choose([usual, *here]) if here else usual
