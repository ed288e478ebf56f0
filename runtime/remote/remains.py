"""What the code of an attempt leaves behind in a worker's process: threads and processes, still at work.

Python does not say who started a thread, and to ask would cost every task. So threads are counted: where
there are more than before, the newest are named. Where a process makes several attempts at once, whichever
ends first may name the threads of another. Processes are known by the thread that started them, on Linux.
"""

import threading
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, cast

from runtime.logging import TASK_RUNS

#: Seconds that it takes to start a process, at least: shorter attempts are not asked for any.
_START = 0.001
#: Whose threads belong to the worker itself, and processes that Python starts.
_WORKERS = frozenset({"anyio", "asyncio", "dask", "distributed", "ray", "runtime", "tornado"})
_KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


class Remains:
    """What there is after an attempt, and was not when this was made."""

    __slots__ = ("_began", "_threads")

    def __init__(self) -> None:
        self._threads = threading.active_count()
        self._began = monotonic()

    def tell(self, run: str) -> None:
        """Log what the attempt left behind, where it did."""
        more = threading.active_count() - self._threads
        if more > 0 or monotonic() - self._began > _START:
            found = [*_newest_threads(more), *_new_processes()]
            if found:
                TASK_RUNS.warning("Task run '%s' left behind on its worker: %s", run, ", ".join(found))


def _newest_threads(n: int) -> list[str]:
    if n <= 0:
        return []
    newest = threading.enumerate()[-n:]
    return [f"thread {each.name!r}" for each in newest if _package_of(each) not in _WORKERS]


def _package_of(thread: threading.Thread) -> str:
    """Where the code that a thread runs comes from."""
    target: Any = getattr(thread, "_target", None)
    while isinstance(target, partial):
        target = cast("partial[Any]", target).func
    return (getattr(target, "__module__", None) or type(thread).__module__).partition(".")[0]


def _new_processes() -> list[str]:
    """The children of this thread that were not told of before."""
    try:
        listed = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    except OSError:  # another system
        return []
    children = set(map(int, listed.split()))
    known = _known.setdefault(threading.get_native_id(), set())
    new = children - known
    known &= children  # numbers come back
    known |= new
    commands = {child: _command(child) for child in sorted(new)}
    return [
        f"process {child} ({command})"
        for child, command in commands.items()
        if command and not any(kept in command for kept in _KEPT_PROCESSES)
    ]


def _command(process: int) -> str:
    """What a process was started as; "" for one that has ended."""
    try:
        name, _, rest = Path(f"/proc/{process}/stat").read_text().partition("(")[2].rpartition(") ")
        if rest[0] in "ZX":
            return ""
        command = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""
    return command or name  # one that is only beginning has no command


#: By thread: children that were looked at.
_known: dict[int, set[int]] = {}
