"""What a test leaves behind: threads, processes, ports, folders, and changes of the environment."""

import os
import socket
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pytest_flows.held import held_by
from pytest_flows.origins import UNKNOWN, origins

#: seconds that what a test started may take to end
PATIENCE = 1.0
_ENDING = {"thread", "process"}
_PAUSE = 0.01
#: what pytest itself changes
_OF_PYTEST = {"PYTEST_CURRENT_TEST"}
#: threads that libraries keep for later, and processes that Python does
_KEPT_THREADS = ("AnyIO worker thread", "asyncio_", "pytest_timeout", "Dask-Offload", "ray_")
_KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that was not there before the test, and is there after it."""

    #: ``thread``, ``process``, ``port``, ``folder``, ``variable``, or ``working folder``
    kind: str
    what: str
    creator: str

    def __str__(self) -> str:
        return f"{self.kind} {self.what}, from {self.creator}"


@dataclass(frozen=True, slots=True)
class _There:
    """What is there at some moment."""

    threads: set[threading.Thread]
    processes: set[int]
    environment: dict[str, str]
    working_folder: str

    @classmethod
    def now(cls) -> "_There":
        return cls(set(threading.enumerate()), _processes(), dict(os.environ), _working_folder())


class LeakWatch:
    """Compares what is there before and after each test."""

    def __init__(self) -> None:
        self._origins = origins()
        self._before = _There.now()
        #: what variables may be, since something that lasts longer than a test set them or set them back
        self._values: dict[str, set[str | None]] = {}

    def begin(self) -> None:
        """A test begins."""
        self._before = _There.now()
        self._origins.watch()

    @contextmanager
    def forgiven(self) -> Generator[None]:
        """What is started, made or changed in the block is there for more than one test."""
        before = _There.now()
        with self._origins.forgiven():
            yield
        after = _There.now()
        self._before.threads.update(after.threads - before.threads)
        self._before.processes.update(after.processes - before.processes)
        for name in before.environment.keys() | after.environment.keys():
            values = {before.environment.get(name), after.environment.get(name)}
            if len(values) > 1:
                self._values.setdefault(name, set()).update(values)

    def end(self, shared: Iterable[object] = ()) -> list[Leak]:
        """What the test that ends has left, and no ``shared`` object holds. What is going is waited for."""
        deadline = time.monotonic() + PATIENCE
        leaks = list(self._leaks())
        if any(leak.kind in _ENDING for leak in leaks):
            held = held_by(shared)
            self._before.threads.update(held.threads)
            self._before.processes.update(held.processes)
            leaks = list(self._leaks())
        while any(leak.kind in _ENDING for leak in leaks) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            leaks = list(self._leaks())
        self._origins.unwatch()
        return leaks

    def _leaks(self) -> Iterator[Leak]:
        origins, before = self._origins, self._before
        for thread in set(threading.enumerate()) - before.threads:
            kept = thread.name.startswith(_KEPT_THREADS)
            if not kept and not origins.is_forgiven(thread) and not _has_ended(thread):
                yield Leak("thread", repr(thread.name), origins.threads.get(thread, UNKNOWN))
        for process in _processes() - before.processes:
            command = _command(process)
            if not any(kept in command for kept in _KEPT_PROCESSES):
                yield Leak("process", f"{process} ({command})", _starter(command, origins.processes))
        for bound, creator in list(origins.sockets.items()):
            if (port := _open_port(bound)) is not None:
                yield Leak("port", str(port), creator)
        for folder, creator in list(origins.folders.items()):
            if Path(folder).exists():
                yield Leak("folder", folder, creator)
        yield from self._changes()

    def _changes(self) -> Iterator[Leak]:
        origins, before = self._origins, self._before
        for name in sorted((before.environment.keys() | os.environ.keys()) - _OF_PYTEST):
            old, new = before.environment.get(name), os.environ.get(name)
            if old != new and new not in self._values.get(name, ()):
                how = "is gone" if new is None else f"is {new!r}"
                yield Leak("variable", f"{name} {how}", origins.variables.get(name, UNKNOWN))
        if before.working_folder != _working_folder():
            yield Leak("working folder", f"is {_working_folder()}", origins.working_folder or UNKNOWN)


def _has_ended(thread: threading.Thread) -> bool:
    """Whether the system no longer has it: Python is not told of the end of threads that it did not start."""
    tasks = Path("/proc/self/task")
    return tasks.is_dir() and not (tasks / str(thread.native_id)).exists()


def _processes() -> set[int]:
    """The children of this process, where the system tells them."""
    children: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            children.update(map(int, listed.read_text().split()))
        except OSError:  # the thread has ended
            continue
    return {child for child in children if _is_alive(child)}


def _is_alive(process: int) -> bool:
    """Whether a process is there, and not merely its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _command(process: int) -> str:
    """What a process was started as; "" for one that is only beginning."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def _starter(command: str, started: list[tuple[str, str]]) -> str:
    """Who started a process: whoever gave just this command, or else one of those who forked."""
    exactly = [creator for told, creator in started if told and told == command]
    creators = list(dict.fromkeys(exactly or [creator for told, creator in started if not told]))
    if not creators:
        return UNKNOWN
    return creators[0] if len(creators) == 1 else f"one of {', '.join(creators)}"


def _open_port(bound: Any) -> object | None:
    """The port, or path, that a socket listens at; None for one that does not, or is closed."""
    try:
        if not bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return None
        name = bound.getsockname()
    except OSError:
        return None
    return cast("tuple[object, ...]", name)[1] if isinstance(name, tuple) else name


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "gone"
