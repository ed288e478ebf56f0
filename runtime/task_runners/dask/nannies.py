"""Worker processes of our own clusters: they start in time, or are gone."""

from typing import Any

import distributed
from distributed.core import Status


class Nanny(distributed.Nanny):
    """A nanny that can end a worker process before it is up.

    Dask's own waits for it, fails on a check of itself, and leaves the process to the garbage collector.
    """

    async def kill(self, timeout: float = 5, reason: str = "nanny-kill") -> None:
        """End the worker's process, whatever it is at."""
        worker: Any = self.process  # its annotations are incomplete
        if worker is not None and worker.status is Status.starting and worker.process is not None:
            await worker.process.kill()
            await worker.process.join(timeout)
        else:
            await super().kill(timeout, reason)
