"""Who started threads and processes, opened ports, made folders and changed the environment.

Python tells an audit hook (PEP 578) of each, whichever library does it; only of threads it does not before
3.12, so that their ``start`` is wrapped. A hook cannot be taken away again: it is installed once, and does
nothing while nobody watches.
"""

import functools
import os
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

#: stands for a creator
UNKNOWN = "code that is not known"
_LIBRARY = sysconfig.get_path("stdlib")
_OURS = str(Path(__file__).parents[1])
_PACKAGES = tuple(os.path.join(_OURS, name) for name in ("pytest_flows", "runtime", "simulators"))  # noqa: PTH118 - compared as text
_FRAMES = 60


class Origins:
    """What was created while somebody watches, and by which line of code.

    What is created in :meth:`forgiven` blocks, by threads that were started there, or while a module is
    imported, is not noted.
    """

    def __init__(self) -> None:
        self.threads: weakref.WeakKeyDictionary[threading.Thread, str] = weakref.WeakKeyDictionary()
        self.sockets: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self.folders: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        #: what was started, as far as it is told, and by whom; which process it became is not told
        self.processes: list[tuple[str, str]] = []
        self.working_folder = ""
        self._forgiven_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._here = threading.local()
        self._watching = False
        self._hears: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "subprocess.Popen": self._process,
            "os.fork": self._process,
            "os.posix_spawn": self._process,
            "socket.bind": self._socket,
            "tempfile.mkdtemp": self._folder,
            "os.putenv": self._variable,
            "os.unsetenv": self._variable,
            "os.chdir": self._chdir,
        }
        sys.addaudithook(self._heard)
        cast("Any", threading.Thread).start = self._noted(threading.Thread.start)

    @contextmanager
    def forgiven(self) -> Generator[None]:
        """What is created in the block, by this thread, may stay."""
        before = getattr(self._here, "forgiven", False)
        self._here.forgiven = True
        try:
            yield
        finally:
            self._here.forgiven = before

    def watch(self) -> None:
        """Note what is created from now on."""
        self.sockets.clear()
        self.folders.clear()
        self.variables.clear()
        self.processes.clear()
        self.working_folder = ""
        self._watching = True

    def unwatch(self) -> None:
        """Note nothing more."""
        self._watching = False

    def is_forgiven(self, thread: threading.Thread) -> bool:
        """Whether a thread may stay: it, or what started it, was started in a forgiven block."""
        return thread in self._forgiven_threads

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if self._watching and event in self._hears:
            self._hears[event](args)

    def _noted(self, start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        @functools.wraps(start)
        def noted(thread: threading.Thread) -> None:
            if self._watching:
                self._thread(thread)
            start(thread)

        return noted

    def _thread(self, thread: threading.Thread) -> None:
        creator = self._creator()
        if creator is None:
            self._forgiven_threads.add(thread)
        else:
            self.threads[thread] = creator

    def _process(self, args: tuple[Any, ...]) -> None:
        if (creator := self._creator()) is not None:
            self.processes.append((_told(args), creator))

    def _socket(self, args: tuple[Any, ...]) -> None:
        if (creator := self._creator()) is not None:
            self.sockets[args[0]] = creator

    def _folder(self, args: tuple[Any, ...]) -> None:
        if (creator := self._creator()) is not None:
            self.folders[os.fsdecode(args[0])] = creator

    def _variable(self, args: tuple[Any, ...]) -> None:
        self.variables[os.fsdecode(args[0])] = self._creator() or UNKNOWN

    def _chdir(self, args: tuple[Any, ...]) -> None:
        del args
        self.working_folder = self._creator() or UNKNOWN

    def _creator(self) -> str | None:
        """The line of code that is at it; None where it is forgiven."""
        # not current_thread(), which makes one up for a thread that is only beginning
        active = cast("dict[int, threading.Thread]", cast("Any", threading)._active)
        thread = active.get(threading.get_ident())
        if getattr(self._here, "forgiven", False) or thread in self._forgiven_threads:
            return None
        creator = None
        frame: FrameType | None = sys._getframe(3)  # pyright: ignore[reportPrivateUsage] - there is no other way
        for _ in range(_FRAMES):
            if frame is None:
                break
            file = frame.f_code.co_filename
            if file.startswith("<frozen importlib"):
                return None
            is_library = file.startswith((_LIBRARY, "<")) and "site-packages" not in file
            if creator is None and not is_library and not file.startswith(_PACKAGES):
                creator = f"{file}:{frame.f_lineno}, in {frame.f_code.co_name}"
            frame = frame.f_back
        return creator or UNKNOWN


def _told(args: tuple[Any, ...]) -> str:
    """The command that ``Popen`` or ``posix_spawn`` are given; "" for a fork."""
    command = args[1] if len(args) > 1 else ""
    return command if isinstance(command, str) else " ".join(os.fsdecode(word) for word in command)


@functools.cache
def origins() -> Origins:
    """The one of this process."""
    return Origins()
