"""How a test and tasks in other threads, processes or machines with the same disk wait for each other.

Files, since a runner need not share memory with the test. Every wait has a condition and a limit.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anyio import sleep

_LIMIT = 30.0
_PAUSE = 0.002


@dataclass(frozen=True)
class Gate:
    """Shut until somebody opens it, then open for good."""

    path: Path

    def open(self) -> None:
        """Let everybody through."""
        self.path.touch()

    @property
    def is_open(self) -> bool:
        """Whether it was opened."""
        return self.path.exists()

    def wait(self, limit: float = _LIMIT) -> None:
        """Block until it is open. Raises ``TimeoutError`` after ``limit`` seconds."""
        deadline = time.monotonic() + limit
        while not self.is_open:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nobody opened {self.path.name} within {limit} seconds")
            time.sleep(_PAUSE)

    async def wait_async(self, limit: float = _LIMIT) -> None:
        """Like :meth:`wait`, to be awaited."""
        deadline = time.monotonic() + limit
        while not self.is_open:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nobody opened {self.path.name} within {limit} seconds")
            await sleep(_PAUSE)


async def known(condition: Callable[[], bool], limit: float = _LIMIT) -> None:
    """Wait until the driver knows what has happened elsewhere: reports of workers take their time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not known within {limit} seconds")
        await sleep(_PAUSE)


@dataclass(frozen=True)
class Ledger:
    """Lines that are added by anybody, and stay: what really happened, whatever histories say."""

    path: Path

    def write(self, line: object) -> None:
        """Add a line, whole also where others add theirs at the same time."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    @property
    def lines(self) -> list[str]:
        """All lines so far."""
        return self.path.read_text().splitlines() if self.path.exists() else []
