"""Tasks on Dask: the task runner, and the client that tasks may use. Needs the extra ``dask``."""

from importlib.util import find_spec

if find_spec("distributed") is None:
    raise ImportError(
        "DaskTaskRunner needs Dask, which is not installed here: pip install 'pytest-flows[dask]'"
    )

from runtime.task_runners.dask.access import get_async_dask_client, get_dask_client
from runtime.task_runners.dask.runner import DaskTaskRunner

__all__ = ["DaskTaskRunner", "get_async_dask_client", "get_dask_client"]
