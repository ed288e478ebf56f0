"""Threads that can be told to stop, and threads with an event loop: what is asked for, and the real ones.

Python cannot end a thread from outside. It can raise an exception in it at its next instruction
(``PyThreadState_SetAsyncExc``), so a loop in Python ends at once and a call into C only when it returns.
"""

import asyncio
import ctypes
import gc
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Protocol

from runtime.interrupts import calls_out, may_interrupt, try_until_done


class Interrupted(BaseException):
    """Raised inside of a call that was told to stop."""


class Guard(Protocol):
    """One call that other threads may interrupt, and nothing around it."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function, once. Raises :class:`Interrupted` where it was told to stop before it ended."""
        ...

    def interrupt(self) -> None:
        """Tell the call to stop: now, or as soon as it begins. Nothing happens if it has ended."""


class LoopThread(Protocol):
    """A thread that runs an event loop and nothing else."""

    loop: asyncio.AbstractEventLoop

    def stop(self) -> None:
        """End the loop and the thread; what still runs on it is cancelled."""


class Threads(Protocol):
    """Where the engine gets threads from."""

    def start(self, run: Callable[[], None], name: str) -> None:
        """Call ``run`` on a thread of its own."""

    def guard(self) -> Guard:
        """A guard for one call, on whichever thread it is made."""
        ...

    def lock(self) -> AbstractContextManager[object]:
        """A reentrant lock for bookkeeping: who holds it waits for nothing, and calls no code of users."""
        ...

    def start_loop(self, name: str) -> LoopThread:
        """An event loop on a thread of its own."""
        ...


#: seconds in which a thread that lost the interpreter in a section gets it back
_MOMENT = 0.000_001


class SystemThreads:
    """Real threads, daemons: one that sits in C after it was told to stop must not keep the process."""

    def start(self, run: Callable[[], None], name: str) -> None:
        """Call ``run`` on a new thread."""
        threading.Thread(target=run, name=name, daemon=True).start()

    def guard(self) -> Guard:
        """A guard that raises in a real thread."""
        return _ThreadGuard()

    def lock(self) -> AbstractContextManager[object]:
        """A real lock, whose waiters stay out of each other's way."""
        return _YieldingLock()

    def start_loop(self, name: str) -> LoopThread:
        """An asyncio event loop on a new thread."""
        return _SystemLoopThread(name)


class _YieldingLock:
    """A reentrant lock for short sections: who finds it taken sleeps a moment, then tries again.

    One who waits *in* a lock gets it without the interpreter, and must then wait for that. Whoever holds
    the interpreter meanwhile soon wants the lock, and so each turn at the lock costs two switches from
    then on, for as long as there is work: a convoy (Blasgen et al., ACM SIGOPS 13(2), 1979). Here nobody
    holds the lock who does not run, but the few whose turn at the interpreter ended just then.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        while not self._lock.acquire(blocking=False):
            time.sleep(_MOMENT)

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()


class _ThreadGuard:
    __slots__ = ("_interrupted", "_lock", "_thread")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._interrupted = False

    @calls_out
    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            with self._lock:
                self._thread = threading.get_ident()
                interrupted = self._interrupted
            if interrupted:
                raise Interrupted
            return function(*args, **kwargs)
        finally:
            self._leave()

    def interrupt(self) -> None:
        with self._lock:
            if self._interrupted or self._thread is None:
                self._interrupted = True
                return
            self._interrupted = True
        if not self._send(overdue=False):
            try_until_done(lambda overdue: self._send(overdue=overdue))

    def _send(self, *, overdue: bool) -> bool:
        """Raise in the thread, unless the engine is at work there; whether there is nothing left to do."""
        with self._lock:
            if self._thread is None:
                return True
            time.sleep(0)  # begins a new turn of this thread: the other one stays where it is seen to be
            if not overdue and not may_interrupt(frame_of(self._thread)):
                return False
            raise_in(self._thread, Interrupted)
            return True

    def _leave(self) -> None:
        # The exception may arrive anywhere until nobody can send it any more: also in here.
        while self._thread is not None:
            try:
                with self._lock:
                    self._thread = None
                # One that was sent and has not arrived does so at the next turn of a loop. To take it back
                # would leave Python 3.11 looking for it for ever, and a traced thread doing nothing else.
                for _ in range(100):
                    pass
            except Interrupted:
                continue


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise ``exception`` in a thread, at its next instruction."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))


def frame_of(thread: int) -> FrameType | None:
    """Where a thread is, by its identity; None where there is no such thread.

    The call makes frames while it holds the interpreter's list of threads. A collection of garbage that began
    there would let others run, who need that list: on Python 3.11 all would wait for ever (gh-106883).
    """
    with _looking:
        collects = gc.isenabled()
        gc.disable()
        try:
            frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage] - documented, and no other way
        finally:
            if collects:
                gc.enable()
    return frames.get(thread)


#: held by whoever has switched collections off, so that nobody else switches them on
_looking = threading.Lock()


class _SystemLoopThread:
    def __init__(self, name: str) -> None:
        self._stopping = asyncio.Event()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._running.wait()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._running.set()
        await self._stopping.wait()
