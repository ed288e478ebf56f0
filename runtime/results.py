"""Results that outlive the run that made them: where they are kept, and how they are written."""

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from runtime.exceptions import FlowsError
from runtime.logging import ENGINE
from runtime.settings import current_settings


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


class LocalResultStorage:
    """Pickled values in a folder that nobody else may enter: reading a pickle runs what it says.

    A file is written under another name and moved into place, and carries a checksum.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``, if it is there and whole."""
        path = self._path(key)
        self._check_privacy()
        try:
            header, _, body = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ResultError(f"Result {key!r} cannot be read from {path}: {error}") from error
        try:
            described = json.loads(header)
            if hashlib.sha256(body).hexdigest() != described["sha256"]:
                raise ValueError("its checksum is wrong")
            return StoredResult(pickle.loads(body), described["expires"])  # noqa: S301 - the folder is ours alone
        except Exception as error:  # a pickle of a class that changed may raise anything
            ENGINE.warning("The result kept under %r in %s is not used: %s", key, path, error)
            return None

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there. Raises :class:`ResultError` where that cannot be."""
        try:
            body = pickle.dumps(result.value, protocol=5)
        except Exception as error:
            kind = cast("type[object]", type(result.value))
            raise ResultError(
                f"A result of type {kind.__module__}.{kind.__qualname__} cannot be kept: {error}"
            ) from error
        described = {"key": key, "expires": result.expires, "sha256": hashlib.sha256(body).hexdigest()}
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_privacy()
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-", delete=False) as file:
                new = Path(file.name)
                try:
                    file.write(json.dumps(described).encode() + b"\n" + body)
                    file.close()
                    new.replace(self._path(key))
                except BaseException:
                    new.unlink()
                    raise
        except OSError as error:
            raise ResultError(f"Result {key!r} cannot be kept in {self.folder}: {error}") from error

    def _check_privacy(self) -> None:
        if os.name == "posix" and self.folder.is_dir() and self.folder.stat().st_mode & 0o022:
            raise ResultError(
                f"Results in {self.folder} are not used: others may write to that folder, and reading a "
                f"result runs what is in it. If all in it is yours: chmod 700 {self.folder}"
            )

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"{digest}.result"


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


def current_result_storage() -> ResultStorage:
    """The storage in force here: by default a folder ``results`` in the home of this user's flows."""
    return _storage.get() or LocalResultStorage(current_settings().home / "results")


@contextmanager
def result_storage(storage: ResultStorage) -> Generator[ResultStorage]:
    """Keep results elsewhere for the length of a block."""
    token = _storage.set(storage)
    try:
        yield storage
    finally:
        _storage.reset(token)


_storage: ContextVar[ResultStorage | None] = ContextVar("flows_result_storage", default=None)
