"""Results that outlive the run that made them: where they are kept, and how they are written."""

import hashlib
import hmac
import json
import os
import pickle
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

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
    """Values in a folder that nobody else may enter: reading a pickle runs what it says.

    A file is written under another name and moved into place. It carries a checksum, and a signature by a
    key in the folder, so that a file which somebody put there is not read. With the serializer ``json``,
    a value comes back as it was or is refused, and nothing is ever unpickled.
    """

    def __init__(self, folder: Path, serializer: Literal["pickle", "json"] = "pickle") -> None:
        self.folder = folder
        self.serializer = serializer

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
            signature, _, described_text = header.partition(b" ")
            described = json.loads(described_text)
            if hashlib.sha256(body).hexdigest() != described["sha256"]:
                raise ValueError("its checksum is wrong")
            if not hmac.compare_digest(signature, self._signature(described_text)):
                raise ValueError("its signature is wrong")
            return StoredResult(self._value(body, described["serializer"]), described["expires"])
        except Exception as error:  # a pickle of a class that changed may raise anything
            ENGINE.warning("The result kept under %r in %s is not used: %s", key, path, error)
            return None

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there. Raises :class:`ResultError` where that cannot be."""
        body = self._body(result.value)
        described = {
            "key": key,
            "expires": result.expires,
            "serializer": self.serializer,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        header = json.dumps(described).encode()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_privacy()
            with self._new_file() as new:
                new.write_bytes(self._signature(header) + b" " + header + b"\n" + body)
                new.replace(self._path(key))
        except OSError as error:
            raise ResultError(f"Result {key!r} cannot be kept in {self.folder}: {error}") from error

    def forget(self, unwanted: Callable[[str, float | None], bool]) -> int:
        """Delete what ``unwanted(key, expires)`` says; returns how many. Reads no value."""
        deleted = 0
        for path in self.folder.glob("*.result"):
            try:
                with path.open("rb") as file:
                    described = json.loads(file.readline().partition(b" ")[2])
                if unwanted(described["key"], described["expires"]):
                    path.unlink()
                    deleted += 1
            except (OSError, ValueError, KeyError):  # somebody else was faster, or it is none of ours
                continue
        return deleted

    def _body(self, value: Any) -> bytes:
        try:
            if self.serializer == "pickle":
                return pickle.dumps(value, protocol=5)
            text = json.dumps(value)
            if json.loads(text) != value:
                raise ValueError("it would not come back from JSON as it is")
            return text.encode()
        except Exception as error:
            kind = cast("type[object]", type(value))
            raise ResultError(
                f"A result of type {kind.__module__}.{kind.__qualname__} cannot be kept: {error}"
            ) from error

    def _value(self, body: bytes, serializer: str) -> Any:
        if serializer == "json":
            return json.loads(body)
        if self.serializer == "json":
            raise ValueError("it is a pickle, and only JSON is read here")
        return pickle.loads(body)  # noqa: S301 - the folder is ours alone, and so is the signature

    def _signature(self, header: bytes) -> bytes:
        return hmac.new(self._key(), header, "sha256").hexdigest().encode()

    def _key(self) -> bytes:
        """The key of this folder, made by whoever comes first."""
        path = self.folder / ".key"
        if not path.exists():
            with self._new_file() as new, suppress(FileExistsError):
                new.write_bytes(os.urandom(32))
                os.link(new, path)  # whole, or not at all; and never in place of another one
        return path.read_bytes()

    @contextmanager
    def _new_file(self) -> Generator[Path]:
        """A file of our own beside the others; gone at the end, unless it has been moved."""
        file, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        os.close(file)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

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
    chosen = _storage.get()
    if chosen is not None:
        return chosen
    settings = current_settings()
    return LocalResultStorage(settings.home / "results", settings.result_serializer)


@contextmanager
def result_storage(storage: ResultStorage) -> Generator[ResultStorage]:
    """Keep results elsewhere for the length of a block."""
    token = _storage.set(storage)
    try:
        yield storage
    finally:
        _storage.reset(token)


_storage: ContextVar[ResultStorage | None] = ContextVar("flows_result_storage", default=None)
