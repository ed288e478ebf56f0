"""Strategies: who decides what is done next, one file each."""

from simulators.strategies.base import Operation, Step, Strategy, Trace
from simulators.strategies.fifo import Fifo
from simulators.strategies.random import RandomWalk
from simulators.strategies.replay import Divergence, Replay

__all__ = ["Divergence", "Fifo", "Operation", "RandomWalk", "Replay", "Step", "Strategy", "Trace"]
