"""Workers that exist only in a simulation, and what they have in common with those of Dask and Ray."""

from simulators.clusters.cluster import SimulatedCluster

__all__ = ["SimulatedCluster"]
