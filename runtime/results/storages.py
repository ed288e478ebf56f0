"""What a storage of results is asked for, and one in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.exceptions import FlowsError


class ResultError(FlowsError):
    """A result cannot be written, or the storage cannot be reached."""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A value, and until when it may be used (seconds since the epoch; None: for ever)."""

    value: Any
    expires: float | None = None


class ResultStorage(Protocol):
    """Keeps values under keys. All methods may be called from any thread, and by many processes."""

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``, if it is there and whole."""
        ...

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there. Raises :class:`ResultError` where that cannot be."""

    def forget(self, unwanted: Callable[[str, float | None], bool]) -> int:
        """Delete what ``unwanted(key, expires)`` says; returns how many. Reads no value."""
        ...


class MemoryResultStorage:
    """Values kept in this process, as they are."""

    def __init__(self) -> None:
        self._results: dict[str, StoredResult] = {}

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``."""
        return self._results.get(key)

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there."""
        self._results[key] = result

    def forget(self, unwanted: Callable[[str, float | None], bool]) -> int:
        """Delete what ``unwanted(key, expires)`` says; returns how many."""
        gone = [key for key, result in list(self._results.items()) if unwanted(key, result.expires)]
        for key in gone:
            self._results.pop(key, None)
        return len(gone)
