"""Stacks: places where code can stop in the middle and go on later. Exactly one runs at a time.

Why greenlets
-------------
Threads that pass a baton cost 7 to 16 microseconds a switch, greenlets 0.3. So greenlets carry code by
default, and real threads are there for code that depends on which thread it is on. Both take turns in the
same way, so the same decisions give the same run.

Where new threads are traced, as by coverage's C tracer, threads carry everything: Python keeps the state of
tracing for each thread, and greenlets lose lines, or give them to the wrong file.
"""

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Literal, Protocol

from greenlet import getcurrent, greenlet

#: What carries code that takes turns.
Stacks = Literal["greenlets", "threads"]

#: What a carrier does: one job, and then it names whose turn it is; None where nobody waits for that.
Work = Callable[[], "Carrier | None"]

# Taken before anybody replaces them; a Thread object would itself wait for locks and events.
_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread
_Local = threading.local
_get_ident = _thread.get_ident


class Carrier(Protocol):
    """A stack: code runs on it until it switches to another one."""

    def switch(self) -> object:
        """Go on there. Returns when somebody switches back to the caller's carrier."""
        ...


class Carriers(Protocol):
    """Where carriers come from. They are kept and used again."""

    #: whether all carriers are one operating system's thread
    one_thread: bool

    def here(self) -> Carrier:
        """The carrier that the caller runs on."""
        ...

    def take(self, work: Work) -> Carrier:
        """A carrier that does ``work`` when first switched to, and then switches to what it returns."""
        ...

    def close(self) -> None:
        """End the carriers that are not at work."""


class GreenletCarriers:
    """Greenlets of the calling thread."""

    one_thread = True

    def __init__(self) -> None:
        self._idle: list[_GreenletCarrier] = []

    def here(self) -> Carrier:
        """The current greenlet."""
        return getcurrent()

    def take(self, work: Work) -> Carrier:
        """A greenlet."""
        if self._idle:
            carrier = self._idle.pop()
        else:
            carrier = _GreenletCarrier()
            carrier.idle = self._idle
        carrier.work = work
        return carrier

    def close(self) -> None:
        """End the idle greenlets."""
        while self._idle:
            carrier = self._idle.pop()
            carrier.parent = getcurrent()  # where a greenlet goes that ends; it was whoever made it
            carrier.throw()


class _GreenletCarrier(greenlet):
    work: Work
    idle: "list[_GreenletCarrier]"

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - the name that greenlets know
        idle = self.idle
        while True:
            following = self.work()
            assert following is not None
            del self.work
            idle.append(self)
            following.switch()


class ThreadCarriers:
    """Real threads, of which only the one runs that was switched to."""

    one_thread = False

    def __init__(self) -> None:
        self._idle: list[ThreadCarrier] = []
        self._current = _Local()

    def here(self) -> Carrier:
        """The current thread."""
        carrier: ThreadCarrier | None = getattr(self._current, "carrier", None)
        if carrier is None:
            carrier = self._current.carrier = ThreadCarrier(self._current, self._idle)
        return carrier

    def take(self, work: Work) -> Carrier:
        """A thread."""
        if self._idle:
            carrier = self._idle.pop()
            carrier.work = work
            return carrier
        carrier = ThreadCarrier(self._current, self._idle)
        carrier.work = work
        carrier.start()
        return carrier

    def close(self) -> None:
        """End the idle threads."""
        while self._idle:
            carrier = self._idle.pop()
            carrier.work = None
            carrier.turn.release()
            carrier.join()


class ThreadCarrier:
    """A real thread. It runs when it has been switched to, until it switches to another one."""

    def __init__(self, current: threading.local, idle: "list[ThreadCarrier]") -> None:
        self.turn = _allocate_lock()
        self.turn.acquire()
        self.work: Work | None = None
        self._current = current
        self._idle = idle
        self._ended = _allocate_lock()
        #: the operating system's thread, once it runs
        self.ident: int | None = None

    def start(self) -> None:
        """Begin the thread, which waits for its first turn."""
        self._ended.acquire()
        _start_new_thread(self._run, ())

    def join(self) -> None:
        """Wait for its end."""
        self._ended.acquire()

    def go_on(self) -> None:
        """Let it go on, from a thread that takes no turns itself."""
        self.turn.release()

    def switch(self) -> None:
        """Go on there, and wait here for the next turn."""
        mine: ThreadCarrier = self._current.carrier
        if mine is not self:
            self.turn.release()
            mine.turn.acquire()

    def _run(self) -> None:
        self._current.carrier = self
        self.ident = _get_ident()
        sys.settrace(threading.gettrace())  # as a Thread object does
        self.turn.acquire()
        while self.work is not None:
            following = self.work()
            if following is None:
                return
            self.work = None
            self._idle.append(self)
            following.switch()
        self._ended.release()


def carriers(stacks: Stacks) -> Carriers:
    """New carriers of a kind; threads in any case where threads are traced."""
    is_traced = threading.gettrace() is not None
    return ThreadCarriers() if stacks == "threads" or is_traced else GreenletCarriers()
