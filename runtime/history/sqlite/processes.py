"""Who writes to a store: telling a process that lives from one that is gone.

A number alone does not name a process: it is given out again. Boot, number and start do. A process that
may not be looked at, in another container say, still holds the lock on its lease while it lives, and no
longer: the kernel takes it away with the process, however that ends.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

try:
    import fcntl
except ImportError:  # not on Windows, where a lease says nothing
    fcntl = None

Verdict = Literal["alive", "gone", "elsewhere"]


@dataclass(frozen=True, slots=True)
class WriterProcess:
    """A process as a store knows it."""

    host: str
    boot: str
    pid: int
    started: str
    lease: str


class Lease:
    """A lock that this process holds on a file of its own, for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{uuid4().hex}.lease"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
        _own.add(self.path.name)

    def process(self) -> WriterProcess:
        """This process, with this lease."""
        pid = os.getpid()
        return WriterProcess(socket.gethostname(), _boot(), pid, _started(pid), self.path.name)

    def give_up(self) -> None:
        """Let go of the lock, and of the file."""
        _own.discard(self.path.name)
        self.path.unlink(missing_ok=True)
        os.close(self._file)


def verdict(process: WriterProcess, folder: Path) -> Verdict:
    """Whether the process is there. ``elsewhere``: it ran on another machine, and cannot be asked after."""
    if process.lease in _own:
        return "alive"  # not looked at: closing the file would drop the lock
    if process.boot != _boot():
        return "gone" if process.host == socket.gethostname() else "elsewhere"
    held = _is_held(folder / process.lease)
    if held is not None:
        return "alive" if held else "gone"
    return "alive" if _started(process.pid) == process.started != "" else "gone"


def _is_held(lease: Path) -> bool | None:
    """Whether somebody holds the lock; None where the file cannot tell."""
    if fcntl is None:
        return None
    try:
        file = os.open(lease, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _boot() -> str:
    """What is different after each start of the machine; "" where nothing says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in ticks since the start of the machine; "" where it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # a program's name may have spaces and brackets in it


#: the leases of this process
_own: set[str] = set()


def _forget_leases() -> None:
    _own.clear()  # locks are not inherited


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_leases)
