"""The strategies by name."""

from collections.abc import Callable

from simulators.exceptions import SimulatorError
from simulators.strategies.base import Strategy
from simulators.strategies.dpor import DPOR
from simulators.strategies.each_fault import EachFault
from simulators.strategies.exhaustive import Exhaustive
from simulators.strategies.fifo import Fifo
from simulators.strategies.guided import Guided
from simulators.strategies.pct import PCT
from simulators.strategies.portfolio import Portfolio
from simulators.strategies.pos import POS
from simulators.strategies.random import RandomWalk

STRATEGIES: dict[str, Callable[[int], Strategy]] = {
    "fifo": lambda _: Fifo(),
    "random": RandomWalk,
    "pct": PCT,
    "pos": POS,
    "guided": Guided,
    "exhaustive": lambda _: Exhaustive(),
    "faults": lambda _: EachFault(),
    "dpor": lambda _: DPOR(),
    "portfolio": Portfolio,
}


def strategy_called(strategy: str | Strategy, seed: int) -> Strategy:
    """The strategy of that name, with its seed; a strategy is given back as it is."""
    if isinstance(strategy, Strategy):
        return strategy
    make = STRATEGIES.get(strategy)
    if make is None:
        raise SimulatorError(f"There is no strategy {strategy!r}; there are {', '.join(STRATEGIES)}")
    return make(seed)
