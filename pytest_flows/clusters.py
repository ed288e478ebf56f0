"""Dask clusters for tests."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from distributed import LocalCluster

#: Threads of this process are there within 30 ms, where worker processes take a second.
_SETTINGS: dict[str, Any] = {
    "n_workers": 2,
    "threads_per_worker": 2,
    "processes": False,
    "dashboard_address": None,
}


@contextmanager
def dask_cluster(**settings: Any) -> Generator[LocalCluster]:
    """A Dask cluster on this machine, of two workers in threads of this process where not said otherwise."""
    make = cast("type[AbstractContextManager[LocalCluster]]", LocalCluster)  # pyright infers it async
    with make(**{**_SETTINGS, **settings}) as cluster:
        yield cluster


def is_untouched(cluster: LocalCluster) -> bool:
    """Whether a cluster with the usual settings is as it began: all workers there, and no results kept."""
    scheduler = cast("Any", cluster).scheduler  # pyright infers what Dask does not say
    return len(scheduler.workers) == _SETTINGS["n_workers"] and not scheduler.tasks
