"""Time, and waiting for it: what the engine knows of clocks, and the one clock that is real.

Every wait of the engine goes through a :class:`Clock`, so a clock decides how long an hour takes.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

from runtime.interrupts import waits

#: Seconds between two looks for signals in a wait without an end. Python handles signals between two
#: steps of its own, and one that comes after the last look before a wait does not end that wait.
_LOOK_FOR_SIGNALS = 1.0


class Alarm(Protocol):
    """A call that a clock will make."""

    def cancel(self) -> None:
        """Forget the call. Nothing happens if it was made already."""


class Waiter(Protocol):
    """One wait of one caller: woken once, for good."""

    def wait(self, timeout: float | None = None) -> bool:
        """Block until woken, at most ``timeout`` seconds of the clock; whether it was woken."""
        ...

    def wake(self) -> None:
        """End the wait, now or as soon as it begins. May be called twice, and from any thread."""


class Clock(Protocol):
    """Where the engine reads the time and waits for it."""

    def time(self) -> float:
        """Seconds since the epoch. May jump, as wall clocks do."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, from a start of no meaning."""
        ...

    def call_at(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` when :meth:`monotonic` has reached ``moment``. It must be quick."""
        ...

    def waiter(self) -> Waiter:
        """A new wait."""
        ...


class SystemClock:
    """The time of this machine. Alarms ring on one thread, which ends when none is left."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[float, int, _SystemAlarm]] = []
        self._order = itertools.count()
        self._ringing = False

    def call_at(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` on the alarm thread when :meth:`monotonic` has reached ``moment``."""
        alarm = _SystemAlarm(self, callback)
        with self._changed:
            heapq.heappush(self._alarms, (moment, next(self._order), alarm))
            if not self._ringing:
                self._ringing = True
                self._start_thread()
            elif self._alarms[0][2] is alarm:
                self._changed.notify()
        return alarm

    def waiter(self) -> Waiter:
        """A wait of one thread."""
        return _ThreadWaiter()

    def forget_cancelled(self) -> None:
        """Let the alarm thread drop what was cancelled, so that it can end."""
        with self._changed:
            self._changed.notify()

    def _start_thread(self) -> None:
        threading.Thread(target=self._ring, name="flows-alarms", daemon=True).start()

    def _ring(self) -> None:
        while True:
            with self._changed:
                while self._alarms and self._alarms[0][2].callback is None:
                    heapq.heappop(self._alarms)
                if not self._alarms:
                    self._ringing = False
                    return
                moment, _, alarm = self._alarms[0]
                remaining = moment - time.monotonic()
                if remaining > 0:
                    self._changed.wait(min(remaining, threading.TIMEOUT_MAX))
                    continue
                heapq.heappop(self._alarms)
            callback, alarm.callback = alarm.callback, None
            if callback is not None:
                try:
                    callback()
                except (
                    BaseException
                ):  # a bug, which ends this thread; the other alarms have to ring all the same
                    self._start_thread()
                    raise


class _SystemAlarm:
    __slots__ = ("_clock", "callback")

    def __init__(self, clock: SystemClock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._clock.forget_cancelled()


class _ThreadWaiter:
    __slots__ = ("_lock",)

    def __init__(self) -> None:
        # Half the price of threading.Event; a lock held by nobody in particular, which wake() releases.
        self._lock = threading.Lock()
        self._lock.acquire()

    @waits
    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            while not self._lock.acquire(timeout=_LOOK_FOR_SIGNALS):
                pass
            return True
        return self._lock.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX))

    def wake(self) -> None:
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:  # somebody else woke it in between
                return
