"""Results in a folder of this machine, or of a disk that all workers share."""

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.logging import ENGINE
from runtime.results.sealing import ResultSerializer, described_by, file_name, seal, signed, unseal
from runtime.results.storages import ResultError, StoredResult


class LocalResultStorage:
    """Values in a folder that nobody else may enter: reading a pickle runs what it says.

    A file is written under another name and moved into place. It carries a checksum, and a signature by a
    key in the folder, so that a file which somebody put there is not read. With the serializer ``json``,
    a value comes back as it was or is refused, and nothing is ever unpickled.
    """

    def __init__(self, folder: Path, serializer: ResultSerializer = "pickle") -> None:
        self.folder = folder
        self.serializer: ResultSerializer = serializer

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``, if it is there and whole."""
        path = self.folder / file_name(key)
        self._check_privacy()
        try:
            written = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ResultError(f"Result {key!r} cannot be read from {path}: {error}") from error
        try:
            return unseal(written, key, self.serializer, self._key())
        except Exception as error:  # a pickle of a class that changed may raise anything
            ENGINE.warning("The result kept under %r in %s is not used: %s", key, path, error)
            return None

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there. Raises :class:`ResultError` where that cannot be."""
        line, body = seal(key, result, self.serializer)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_privacy()
            with self._new_file() as new:
                new.write_bytes(signed(line, body, self._key()))
                new.replace(self.folder / file_name(key))
        except OSError as error:
            raise ResultError(f"Result {key!r} cannot be kept in {self.folder}: {error}") from error

    def forget(self, unwanted: Callable[[str, float | None], bool]) -> int:
        """Delete what ``unwanted(key, expires)`` says; returns how many. Reads no value."""
        deleted = 0
        for path in self.folder.glob("*.result"):
            try:
                with path.open("rb") as file:
                    key, expires = described_by(file.readline())
                if unwanted(key, expires):
                    path.unlink()
                    deleted += 1
            except (OSError, ValueError, KeyError):  # somebody else was faster, or it is none of ours
                continue
        return deleted

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
