"""How workers of our own cluster died: their nannies live in this process, and only log it."""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_LOG = logging.getLogger("distributed.nanny")
_EXIT = re.compile(r"Worker process (?P<pid>\d+) (?P<how>was killed by .+|exited with .+)")
_MEMORY = re.compile(r"Worker \S+ \(pid=(?P<pid>\d+)\) (?P<how>exceeded \d+% memory budget)")


class Deaths(logging.Handler):
    """What became of worker processes, by their addresses."""

    def __init__(self, cluster: Any) -> None:
        super().__init__(logging.INFO)
        self._cluster = cluster
        #: for a while a nanny still tells the old address along with the new process
        self._pids: dict[str, list[int]] = {}
        self._causes: dict[int, list[str]] = {}

    @property
    def are_known(self) -> bool:
        """Whether anything will ever be known: of a cluster elsewhere, or of threads, nothing is."""
        return bool(self._pids)

    def look(self) -> None:
        """Note which process is at which address; once it has died, nobody knows."""
        for nanny in list(getattr(self._cluster, "workers", {}).values()):
            address, pid = getattr(nanny, "worker_address", None), getattr(nanny, "pid", None)
            if address and pid and pid not in (pids := self._pids.setdefault(address, [])):
                pids.append(pid)

    def cause(self, address: str) -> str | None:
        """Why the worker's process ended; None where that is not known, or not yet."""
        for pid in self._pids.get(address, ()):
            if causes := self._causes.get(pid):
                return f"Its process {' and then '.join(causes)}."
        return None

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a line of the log."""
        found = _EXIT.match(record.getMessage()) or _MEMORY.match(record.getMessage())
        if found:
            self._causes.setdefault(int(found["pid"]), []).append(found["how"])


@contextmanager
def watched(cluster: Any) -> Generator[Deaths]:
    """Hear of deaths for the length of the block."""
    deaths = Deaths(cluster)
    _LOG.addHandler(deaths)
    try:
        deaths.look()
        yield deaths
    finally:
        _LOG.removeHandler(deaths)
