"""Dask's client and nanny, where they would wait for ever: nobody answers, or a worker does not start.

They are called as in Dask, which shows the names of the classes.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import distributed
from distributed.core import Status


class Client(distributed.Client):
    """A client that gives up on whoever takes its connection, and then says nothing."""

    async def _ensure_connected(self, timeout: float | None = None) -> None:
        ensured: Awaitable[None] = cast("Any", super())._ensure_connected(timeout=timeout)
        try:
            await asyncio.wait_for(ensured, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"No Dask scheduler answered within {timeout} second(s).") from error


class Nanny(distributed.Nanny):
    """A nanny that can end a worker process before it is up.

    Dask's own waits for it, fails on a check of itself, and leaves the process to the garbage collector.
    """

    async def kill(self, timeout: float = 5, reason: str = "nanny-kill") -> None:
        """End the worker's process, whatever it is at."""
        worker: Any = self.process  # its annotations are incomplete
        if (
            worker is not None
            and worker.status is Status.starting
            and (process := worker.process) is not None
        ):
            await process.kill()
            await process.join(timeout)  # the worker may have forgotten it by then
        else:
            await super().kill(timeout, reason)
