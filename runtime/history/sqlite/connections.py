"""Opening a store's file, and saying in words what is wrong with it."""

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from runtime.exceptions import StoreError
from runtime.history.sqlite.schema import check_schema, migrate

T = TypeVar("T")
Durability = Literal["normal", "full"]

#: seconds between two tries where SQLite itself does not wait
_PAUSE = 0.02


def open_to_write(path: Path, durability: Durability, patience: float) -> sqlite3.Connection:
    """A connection that writes, for any one thread at a time; makes folder and file where there are none.

    Raises ``StoreError``. ``patience``: seconds to wait for a lock that another process holds.
    """
    with explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite does, which would let others read it; its other files get the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            # Turning to WAL, and reading what a crashed process left, may report a lock without waiting.
            _patiently(lambda: _prepare(connection, durability), patience)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def reading(path: Path, patience: float) -> Generator[sqlite3.Connection]:
    """A connection that reads one state of the store; what others write meanwhile is not seen.

    Raises ``StoreError``, and ``FileNotFoundError`` where there is no store.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    with explained(path), closing(_open_to_read(path, patience)) as connection:
        check_schema(connection)
        connection.execute("BEGIN")
        yield connection


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Errors of SQLite and of the system, as a ``StoreError`` that says what happened to which file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"History store {path}: {_in_words(error, path)} ({error})") from error
    except StoreError as error:
        if str(path) in str(error):
            raise
        raise StoreError(f"History store {path}: {error}") from error
    except OSError as error:
        raise StoreError(f"History store {path}: it cannot be opened: {error}") from error
    except UnicodeDecodeError as error:  # raised for SQLite's own messages about what it cannot read
        raise StoreError(f"History store {path}: it is damaged. ({error})") from error


def is_lock(error: sqlite3.Error) -> bool:
    """Whether another connection was in the way."""
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _prepare(connection: sqlite3.Connection, durability: Durability) -> None:
    check_schema(connection)  # first, so that a file of another program stays as it is
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    migrate(connection)


def _open_to_read(path: Path, patience: float) -> sqlite3.Connection:
    place = path.resolve().as_uri()
    connection = sqlite3.connect(f"{place}?mode=ro", timeout=patience, isolation_level=None, uri=True)
    try:
        _patiently(lambda: connection.execute("SELECT count(*) FROM sqlite_master").fetchone(), patience)
    except sqlite3.Error as error:
        connection.close()
        # WAL needs a file beside the store, which cannot be made in a folder that may only be read.
        unlisted = _primary_code(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
        if not unlisted or path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{place}?mode=ro&immutable=1", isolation_level=None, uri=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(do: Callable[[], T], patience: float) -> T:
    deadline = time.monotonic() + patience
    while True:
        try:
            return do()
        except sqlite3.Error as error:
            if not is_lock(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _in_words(error: sqlite3.Error, path: Path) -> str:
    return _WORDS.get(_primary_code(error) or 0, "it cannot be used.").format(path=path)


_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full. Make room; what was kept before is whole.",
    sqlite3.SQLITE_IOERR: "the disk failed, or is full. What was kept before is still there.",
    sqlite3.SQLITE_READONLY: "it may only be read. Check who owns it, and whether its disk is mounted to be "
    "written to; or set FLOWS_HOME to another folder.",
    sqlite3.SQLITE_PERM: "it may not be opened. Check who owns it.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Check that its folder is there and may be written to.",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Move it away, and get back what there is with: "
    "sqlite3 {path} .recover",
    sqlite3.SQLITE_NOTADB: "it is not a history store. Move it away, or set FLOWS_HOME to another folder.",
    sqlite3.SQLITE_BUSY: "another process keeps it locked for too long.",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked for too long.",
}
