"""Interrupts that arrive while the engine is at work: held until they can do no harm.

Python raises ``KeyboardInterrupt`` wherever the main thread happens to be, also between two steps that
belong together: after a run has taken a new state and before that is written down. An interrupt is
meant for the user's code, and for waits. So a signal is looked at first: if the thread is in the engine
itself, it is sent again a moment later, and the engine goes on undisturbed. The same holds for the
exception that stops a task's thread.

Why stacks, not flags
---------------------
A flag around each piece of work is paid for by every task, and is torn itself by an exception between
setting it and the work. Looking at the stack costs nothing until there is an interrupt.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

from runtime.exceptions import Terminated

F = TypeVar("F", bound=Callable[..., Any])

#: Between two tries, and how many there are before an interrupt is let through: an engine that sits,
#: in a store that is locked or a cluster that does not start, must not be out of reach.
_PAUSE = 0.001
_TRIES = 1000

#: What ``signal`` wraps. Its own functions look each handler up in an enumeration, which takes 15 µs.
_signal: Any = import_module("_signal")

_ENGINE = f"{Path(__file__).parent}{os.sep}"
_COMMAND_LINE = f"{_ENGINE}cli{os.sep}"


def calls_out(function: F) -> F:
    """Mark a function that calls the user's code, which may be left by an exception at any line."""
    _calling_out.add(function.__code__)
    return function


def waits(function: F) -> F:
    """Mark a function that waits, and may itself be left by an exception at any line."""
    _waiting.add(function.__code__)
    return function


def may_interrupt(frame: FrameType | None) -> bool:
    """Whether an exception raised in ``frame`` finds the engine between two pieces of work, not in one."""
    if frame is not None and frame.f_code in _calling_out:
        return False
    while frame is not None:
        code = frame.f_code
        if code in _calling_out or code in _waiting:
            return True
        if code.co_filename.startswith(_ENGINE) and not code.co_filename.startswith(_COMMAND_LINE):
            return False
        frame = frame.f_back
    return True


def try_until_done(attempt: Callable[[bool], bool]) -> None:
    """Call ``attempt(overdue)`` on a thread until it returns True; ``overdue`` after many tries."""

    def run() -> None:
        for tries in count():
            time.sleep(_PAUSE)
            if attempt(tries >= _TRIES):
                return

    threading.Thread(target=run, name="flows-interrupts", daemon=True).start()


def came_by_signal(error: BaseException) -> bool:
    """Whether the exception was raised by a signal, and not by the code that it was raised in."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is _Signals.arrived.__code__:
            return True
        traceback = traceback.tb_next
    return False


def interrupt_later() -> None:
    """Send the main thread an interrupt that was caught at a place where nothing could be done about it."""
    _signals.hold(signal.SIGINT)


def let_through() -> None:
    """Raise here what was held; called where the engine's work ends and the user's code goes on."""
    if _signals.held:
        _signals.let_through()


class SignalsHeld:
    """For the length of a block on the main thread, signals wait until the engine is not at work.

    SIGTERM, which would end the process on the spot, is raised as :class:`Terminated`. Blocks may be
    nested and may overlap, as those of async flows do. On other threads nothing happens.
    """

    __slots__ = ("_counts",)

    def __enter__(self) -> None:
        self._counts = threading.get_ident() == threading.main_thread().ident
        if self._counts:
            _signals.enter()

    def __exit__(self, *exc_info: object) -> None:
        if self._counts:
            _signals.leave()


class _Signals:
    def __init__(self) -> None:
        self._blocks = 0
        self._leaving = False
        #: the handlers that were there, and get the signals in the end
        self._previous: dict[int, Any] = {}
        #: signals that wait
        self.held: set[int] = set()
        #: whether a signal was held for long enough
        self._overdue = False
        #: a signal whose repetitions are of no account
        self._repeated: int | None = None
        # Reentrant: a signal may arrive while its own handler holds it.
        self._lock = threading.RLock()
        #: what the forking thread blocked before
        self._mask: set[signal.Signals | int] = set()

    def enter(self) -> None:
        if not self._blocks:
            for number in (signal.SIGINT, signal.SIGTERM):
                previous = _signal.getsignal(number)
                if previous != self.arrived and (
                    callable(previous) or (number == signal.SIGTERM and previous == signal.SIG_DFL)
                ):
                    self._previous[number] = previous
                    _signal.signal(number, self.arrived)
        self._blocks += 1  # last: an interrupt before this leaves nothing but a handler that hands on

    def leave(self) -> None:
        if self._blocks > 1:
            self._blocks -= 1
            return
        self._leaving = True
        held = self._settle()
        self._blocks = 0
        self._leaving = False
        self._restore()
        for number in held:
            self._deliver(number, None)

    def let_through(self) -> None:
        if threading.get_ident() == threading.main_thread().ident:
            for number in self._settle():
                self._deliver(number, None)

    def hold(self, number: int) -> None:
        """Send a signal to the main thread once the engine is not at work there."""
        with self._lock:
            if number not in self.held:
                self.held.add(number)
                if not self._leaving:
                    try_until_done(lambda overdue: self._send_again(number, overdue))

    def before_fork(self) -> None:
        # A signal for the child that arrives before its handlers are what they were would be lost.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))

    def after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def after_fork_in_child(self) -> None:
        """The child is no part of the flow: let signals do there what they did before."""
        self._lock = threading.RLock()
        self._blocks = 0
        self._settle()
        self._restore()
        self.after_fork()

    def _settle(self) -> list[int]:
        with self._lock:
            held = list(self.held)
            self.held.clear()
            self._overdue = False
        return held

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            if _signal.getsignal(number) == self.arrived:  # else the user's code put another one there
                _signal.signal(number, previous)

    def arrived(self, number: int, frame: FrameType | None) -> None:
        if number == self._repeated:
            return
        if self._leaving or (self._blocks and not self._overdue and not may_interrupt(frame)):
            self.hold(number)
            return
        if number in self.held:
            self._take(number)
        self._deliver(number, frame)

    def _take(self, number: int) -> None:
        """Hold the signal no longer, and hear none of its repetitions that are still on their way."""
        self._repeated = number
        with self._lock:
            self.held.discard(number)
            self._overdue = False
        os.getppid()  # signals that were sent have arrived when a call of the system returns
        self._repeated = None

    def _send_again(self, number: int, overdue: bool) -> bool:
        with self._lock:
            if number not in self.held:
                return True
            self._overdue = overdue
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            return False

    def _deliver(self, number: int, frame: FrameType | None) -> None:
        handler = self._previous[number]
        if callable(handler):
            handler(number, frame)
        else:
            raise Terminated(128 + number)


_calling_out: set[CodeType] = set()
_waiting: set[CodeType] = set()
_signals = _Signals()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_signals.before_fork,
        after_in_parent=_signals.after_fork,
        after_in_child=_signals.after_fork_in_child,
    )
