"""Dask clusters for tests."""

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, cast

from dask import config
from distributed import Client, LocalCluster

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
#: Servers that watch themselves many times a second take a twentieth of a processor from a suite.
_CONFIG = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
#: Seconds in which a cluster may hear that nobody wants the results of a test any more.
_FREED_WITHIN = 1.0


@contextmanager
def dask_cluster(**settings: Any) -> Generator[LocalCluster]:
    """A Dask cluster on this machine, of two workers in threads of this process where not said otherwise."""
    make = cast("type[AbstractContextManager[LocalCluster]]", LocalCluster)  # pyright infers it async
    with ExitStack() as stack:
        stack.enter_context(environment_kept())
        with config.set(_CONFIG):
            cluster = stack.enter_context(make(**{**_SETTINGS, **settings}))
        yield cluster


def is_untouched(client: Client) -> bool:
    """Whether the cluster of a client is as it began: all workers there, and no results kept."""
    scheduler = cast("Any", client).cluster.scheduler  # pyright infers what Dask does not say
    until = time.monotonic() + _FREED_WITHIN
    while client.status == "running" and scheduler.tasks and time.monotonic() < until:
        time.sleep(0.001)
    return is_whole(client) and not scheduler.tasks


def is_whole(client: Client) -> bool:
    """Whether a client still reaches its cluster, and all workers are there."""
    workers = cast("Any", client).cluster.scheduler.workers  # pyright infers what Dask does not say
    return client.status == "running" and len(workers) == _SETTINGS["n_workers"]
