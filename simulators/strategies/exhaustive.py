"""Exhaustive: every schedule there is, each once."""

from collections.abc import Sequence

from simulators.exceptions import SimulatorError
from simulators.strategies.base import Operation, Strategy


class Exhaustive(Strategy):
    """Walks through the tree of all decisions, depth first, beginning with fifo.

    Bounds make the tree smaller and keep what is likeliest to fail: ``preemptions`` counts how often a run
    that could have gone on was made to wait (Musuvathi and Qadeer, PLDI 2007), ``delays`` how many runs
    were passed over (Emmi, Qadeer and Rakamarić, POPL 2011), ``deviations`` how often fifo was not
    followed. ``exhausts`` says whether a bound has cut anything off.
    """

    name = "exhaustive"
    exhaustive = True
    cut = "a bound of the strategy cut schedules off"
    strikes = True

    def __init__(
        self, preemptions: int | None = None, delays: int | None = None, deviations: int | None = None
    ) -> None:
        for bound, value in (("preemptions", preemptions), ("delays", delays), ("deviations", deviations)):
            if value is not None and value < 0:
                raise ValueError(f"{bound} must be 0 or more, or None, not {value}")
        self._bounds = preemptions, delays, deviations
        self.exhausts = True
        #: the branch taken at each decision, and how many the decision has
        self._path: list[list[int]] = []
        self._begun = False

    @property
    def bounds(self) -> dict[str, float]:
        """Its bounds, those that it has."""
        named = zip(("preemptions", "delays", "deviations"), self._bounds, strict=True)
        return {name: bound for name, bound in named if bound is not None}

    def begin(self) -> bool:
        """Turn at the last decision that has a branch left; False where none has."""
        if self._begun:
            while self._path and self._path[-1][0] + 1 == self._path[-1][1]:
                self._path.pop()
            if not self._path:
                return False
            self._path[-1][0] += 1
        self._begun = True
        self._depth = 0
        self._left = list(self._bounds)
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What the branch says; fifo where it is new."""
        allowed = self._allowed(pending)
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._path):
            self._path.append([0, allowed])
        index, branches = self._path[depth]
        if branches != allowed:
            raise SimulatorError(
                f"The run is not deterministic: at decision {depth} there were {branches} operations to "
                f"choose from, and with the same decisions before it there are {allowed} now"
            )
        if index:
            self._pay(index, preempts=pending[0].goes_on)
        return pending[index]

    def _allowed(self, pending: Sequence[Operation]) -> int:
        """How many of the operations the bounds leave, counted from the first."""
        preemptions, delays, deviations = self._left
        allowed = len(pending)
        if (preemptions == 0 and pending[0].goes_on) or deviations == 0:
            allowed = 1
        if delays is not None:
            allowed = min(allowed, delays + 1)
        if allowed < len(pending):
            self.exhausts = False
        return allowed

    def _pay(self, index: int, *, preempts: bool) -> None:
        for bound, price in enumerate((1 if preempts else 0, index, 1)):
            left = self._left[bound]
            if left is not None:
                self._left[bound] = left - price
