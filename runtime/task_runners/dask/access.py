"""The Dask client, for flows and tasks that want to use Dask themselves."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import distributed
from distributed import Client, get_worker

from runtime.context import FLOW_RUN
from runtime.exceptions import MissingContext


@contextmanager
def get_dask_client(timeout: float | None = None, **client_kwargs: Any) -> Generator[Client]:
    """A client of the cluster that the task, or the flow, runs on.

    In a task its slot is given to others for the length of the block, so that computing something there
    needs no second slot. Raises ``MissingContext`` where there is no cluster.
    """
    if _on_worker():
        with _worker_client(timeout=timeout) as client:
            yield client
        return
    with Client(_address(), timeout=timeout or 10, set_as_default=False, **client_kwargs) as client:
        yield client


@asynccontextmanager
async def get_async_dask_client(timeout: float | None = None, **client_kwargs: Any) -> AsyncGenerator[Client]:
    """Like :func:`get_dask_client`, for async flows and tasks. The slot stays with the task."""
    async with Client(
        _address(), timeout=timeout or 10, asynchronous=True, set_as_default=False, **client_kwargs
    ) as client:
        yield client


def _on_worker() -> bool:
    try:
        get_worker()
    except ValueError:
        return False
    return True


def _address() -> str:
    try:
        scheduler: Any = get_worker().scheduler
        return scheduler.address
    except ValueError:
        pass
    flow = FLOW_RUN.get()
    client = (
        getattr(flow.scope.runner, "client", None) if flow is not None and flow.scope is not None else None
    )
    if client is None:
        raise MissingContext(
            "There is no Dask cluster here: ask for a client in a flow or task that runs on one."
        )
    return client.scheduler.address


_worker_client = cast("Any", distributed).worker_client  # its annotations are incomplete
