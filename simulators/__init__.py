"""Flows in virtual time, under a scheduler that decides the order of everything and remembers it."""

from simulators.execution import Execution
from simulators.exploration import Exploration, Failure, FailureFound, check, explore, replay
from simulators.points import access, checkpoint
from simulators.runner import SimulatedTaskRunner
from simulators.schedules import Decision, Schedule

__all__ = [
    "Decision",
    "Execution",
    "Exploration",
    "Failure",
    "FailureFound",
    "Schedule",
    "SimulatedTaskRunner",
    "access",
    "check",
    "checkpoint",
    "explore",
    "replay",
]
