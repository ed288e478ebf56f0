"""Strategies: who decides what is done next, one file each."""

from simulators.strategies.base import Operation, Step, Strategy, Trace
from simulators.strategies.dpor import DPOR
from simulators.strategies.each_fault import EachFault
from simulators.strategies.exhaustive import Exhaustive
from simulators.strategies.fifo import Fifo
from simulators.strategies.guided import Guided
from simulators.strategies.misfortune import Misfortune
from simulators.strategies.near import NEAR, Near
from simulators.strategies.pct import PCT
from simulators.strategies.portfolio import Portfolio
from simulators.strategies.pos import POS
from simulators.strategies.random import RandomWalk
from simulators.strategies.registry import strategy_called
from simulators.strategies.replay import Divergence, Replay

__all__ = [
    "DPOR",
    "NEAR",
    "PCT",
    "POS",
    "Divergence",
    "EachFault",
    "Exhaustive",
    "Fifo",
    "Guided",
    "Misfortune",
    "Near",
    "Operation",
    "Portfolio",
    "RandomWalk",
    "Replay",
    "Step",
    "Strategy",
    "Trace",
    "strategy_called",
]
