"""Ctrl-C and the like: the first one stops the flow in good order, the second leaves at once."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupts:
    """What was told to this process, and who is to hear of it."""

    def __init__(self) -> None:
        #: the signal that came first
        self.received: int | None = None
        self._tell: Callable[[], None] = _interrupt_here

    @property
    def exit_code(self) -> int:
        """What shells expect of a process that a signal ended: 130 for Ctrl-C."""
        return 128 + (self.received if self.received is not None else signal.SIGINT)

    @contextmanager
    def heard(self) -> Generator[None]:
        """Hear of signals for the length of a block. In the main thread only."""
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def cancelling(self) -> Generator[None]:
        """For the length of a block a signal cancels the running asyncio task, rather than interrupt code."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        before, self._tell = self._tell, lambda: _cancel(loop, task)
        try:
            with _woken_by_signals(loop):
                yield
        finally:
            self._tell = before

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            # Not sys.exit: threads and finalisers are what the user does not want to wait for.
            os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
            os._exit(self.exit_code)
        self.received = number
        # Not print: the code that was interrupted may hold the lock of a buffer.
        os.write(2, b"\nStopping; press Ctrl-C again to leave at once.\n")
        self._tell()


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Let a signal end the loop's wait also when it arrives just before that begins.

    Python looks for signals between two steps of its own. One that comes after the last look ends no
    wait, and would be heard of when the loop has something else to do: perhaps never.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.settimeout(0)
        writing.settimeout(0)
        loop.add_reader(reading, reading.recv, 4096)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reading)


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[object] | None") -> None:
    if task is not None:
        loop.call_soon_threadsafe(task.cancel)


def _interrupt_here() -> NoReturn:
    raise KeyboardInterrupt
