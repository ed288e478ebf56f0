"""Workers that exist only in a simulation, and what they have in common with those of Dask and Ray."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulators.clusters.cluster import SimulatedCluster

if TYPE_CHECKING:
    from simulators.clusters.flights import Flights

__all__ = ["Flights", "SimulatedCluster"]


def __getattr__(name: str) -> Any:
    # What is sent to workers is packed by cloudpickle, which comes with Dask or Ray: one can do without.
    if name == "Flights":
        return import_module("simulators.clusters.flights").Flights
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
