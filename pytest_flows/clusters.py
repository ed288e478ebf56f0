"""Dask clusters for tests."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from distributed import LocalCluster

from runtime.task_runners.dask.environment import environment_kept

_SETTINGS: dict[str, Any] = {
    "n_workers": 2,
    "threads_per_worker": 2,
    # Threads of this process are there within 50 ms, where worker processes take a second. What is sent goes
    # through sockets all the same, so that what could not travel does not.
    "processes": False,
    "protocol": "tcp",
    # Dask listens on all interfaces, and at a port that another cluster may have.
    "host": "127.0.0.1",
    "dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
}


@contextmanager
def dask_cluster(**settings: Any) -> Generator[LocalCluster]:
    """A Dask cluster on this machine, of two workers in threads of this process where not said otherwise."""
    make = cast("type[AbstractContextManager[LocalCluster]]", LocalCluster)  # pyright infers it async
    with environment_kept(), make(**{**_SETTINGS, **settings}) as cluster:
        yield cluster


def is_untouched(cluster: LocalCluster) -> bool:
    """Whether a cluster with the usual settings is as it began: all workers there, and no results kept."""
    scheduler = cast("Any", cluster).scheduler  # pyright infers what Dask does not say
    return len(scheduler.workers) == _SETTINGS["n_workers"] and not scheduler.tasks
