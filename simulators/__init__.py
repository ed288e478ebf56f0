"""Flows in virtual time, under a scheduler that decides the order of everything and remembers it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulators.certificates import Certificate
    from simulators.clusters import SimulatedCluster
    from simulators.execution import Execution
    from simulators.exploration import Exploration, check, explore, replay
    from simulators.failures import Failure, FailureFound
    from simulators.points import access, checkpoint
    from simulators.processes import see_through
    from simulators.races import DataRace
    from simulators.runner import SimulatedTaskRunner
    from simulators.schedules import Decision, Points, Schedule
    from simulators.shrinking import shrink
    from simulators.stubs import RecordedStubs

__all__ = [
    "Certificate",
    "DataRace",
    "Decision",
    "Execution",
    "Exploration",
    "Failure",
    "FailureFound",
    "Points",
    "RecordedStubs",
    "Schedule",
    "SimulatedCluster",
    "SimulatedTaskRunner",
    "access",
    "check",
    "checkpoint",
    "explore",
    "replay",
    "see_through",
    "shrink",
]

# The command `flows` asks this package for its commands; most of them need nothing of a simulation.
_LAZY = {
    "Certificate": "certificates",
    "DataRace": "races",
    "Decision": "schedules",
    "Execution": "execution",
    "Exploration": "exploration",
    "Failure": "failures",
    "FailureFound": "failures",
    "Points": "schedules",
    "RecordedStubs": "stubs",
    "Schedule": "schedules",
    "SimulatedCluster": "clusters",
    "SimulatedTaskRunner": "runner",
    "access": "points",
    "check": "exploration",
    "checkpoint": "points",
    "explore": "exploration",
    "replay": "exploration",
    "see_through": "processes",
    "shrink": "shrinking",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"simulators.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
