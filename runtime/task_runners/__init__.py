"""Task runners: where attempts of tasks are made. Each is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runtime.task_runners.base import BaseTaskRunner, TaskConcurrencyType
from runtime.task_runners.sequential import SequentialTaskRunner

if TYPE_CHECKING:
    from runtime.task_runners.concurrent import ConcurrentTaskRunner
    from runtime.task_runners.dask import DaskTaskRunner, get_async_dask_client, get_dask_client
    from runtime.task_runners.ray import RayTaskRunner, remote_options

__all__ = [
    "BaseTaskRunner",
    "ConcurrentTaskRunner",
    "DaskTaskRunner",
    "RayTaskRunner",
    "SequentialTaskRunner",
    "TaskConcurrencyType",
    "get_async_dask_client",
    "get_dask_client",
    "remote_options",
]

_LAZY = {
    "ConcurrentTaskRunner": "runtime.task_runners.concurrent",
    "DaskTaskRunner": "runtime.task_runners.dask",
    "get_async_dask_client": "runtime.task_runners.dask",
    "get_dask_client": "runtime.task_runners.dask",
    "RayTaskRunner": "runtime.task_runners.ray",
    "remote_options": "runtime.task_runners.ray",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
