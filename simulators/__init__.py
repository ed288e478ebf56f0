"""Flows in virtual time, under a scheduler that decides the order of everything and remembers it."""

from simulators.certificates import Certificate
from simulators.clusters import SimulatedCluster
from simulators.execution import Execution
from simulators.exploration import Exploration, check, explore, replay
from simulators.failures import Failure, FailureFound
from simulators.points import access, checkpoint
from simulators.races import DataRace
from simulators.runner import SimulatedTaskRunner
from simulators.schedules import Decision, Points, Schedule
from simulators.shrinking import shrink

__all__ = [
    "Certificate",
    "DataRace",
    "Decision",
    "Execution",
    "Exploration",
    "Failure",
    "FailureFound",
    "Points",
    "Schedule",
    "SimulatedCluster",
    "SimulatedTaskRunner",
    "access",
    "check",
    "checkpoint",
    "explore",
    "replay",
    "shrink",
]
