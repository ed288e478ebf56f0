"""The fixture ``flow_clock``: time that passes when the test says so, or when nothing but a retry waits.

Why only the wall clock stands still for user code
--------------------------------------------------
freezegun would freeze ``time.monotonic`` too. Event loops, pools and clusters measure their waits by it, on
other threads and at any moment: those that have seen another time once may wait for it for ever. So it is
never touched, and the wall clocks of cluster software are left alone.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import freezegun.api
from freezegun import freeze_time

from runtime.clocks import Alarm, SystemClock, Waiter
from runtime.context import default_environment
from runtime.history import StateChange
from runtime.hooks import hookimpl, plugins
from runtime.runs import TaskRun

#: what needs the real wall clock: it measures how long others are silent
_IGNORED = ["dask", "distributed", "ray", "tornado"]
#: clocks of ``time`` that freezegun is not to touch
_MONOTONIC = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


class FlowClock:
    """The clock of the runtime, and of user code: it stands, and moves when told to.

    It also moves, to the next moment that anything waits for, whenever a run awaits its retry and no task
    runs: nobody has to wait for a retry delay. Timeouts of tasks that run take as long as ever.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._real = SystemClock()
        self._now = datetime.fromtimestamp(self._real.time(), UTC)
        #: seconds that were skipped
        self._skipped = 0.0
        self._pending: set[_MovedAlarm] = set()
        self._running: set[UUID] = set()
        self._awaiting_retry: set[UUID] = set()
        #: when each thread last asked
        self._read = threading.local()
        #: hears of every move
        self._follow: Callable[[datetime], object] = _nobody

    @property
    def now(self) -> datetime:
        """What time it is, in UTC."""
        return self._now

    def advance(self, seconds: float = 0.0, **more: float) -> None:
        """Let time pass: so many seconds, or ``minutes=``, ``hours=``, ``days=``."""
        delay = timedelta(seconds=seconds, **more)
        if delay < timedelta(0):
            raise ValueError(f"Time cannot pass backwards ({delay}); move_to() sets the wall clock back.")
        with self._lock:
            self._skip(delay.total_seconds(), self._now + delay)

    def move_to(self, moment: datetime | str) -> None:
        """Let time pass until ``moment``; one without a time zone is in UTC. Text is read as ISO 8601.

        A moment that has passed already sets the wall clock back, and nothing else.
        """
        goal = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        goal = goal.replace(tzinfo=UTC) if goal.tzinfo is None else goal.astimezone(UTC)
        with self._lock:
            if goal >= self._now:
                self.advance((goal - self._now).total_seconds())
            self._set(goal)

    def time(self) -> float:
        """Seconds since the epoch: what the wall clock shows."""
        return self._now.timestamp()

    def monotonic(self) -> float:
        """Seconds that passed by themselves, and those that were skipped."""
        moment = self._read.moment = self._real.monotonic() + self._skipped
        return moment

    def call_at(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` when that much time has passed, or was skipped."""
        with self._lock:
            # From when the moment was calculated: on a busy machine that is a while ago.
            began = getattr(self._read, "moment", None) or self.monotonic()
            due = self._now + timedelta(seconds=max(0.0, moment - began))
            alarm = _MovedAlarm(self, moment, due, callback)
            self._pending.add(alarm)
            alarm.set_again()
        return alarm

    def waiter(self) -> Waiter:
        """A wait that skipped time shortens."""
        return _MovedWaiter(self, self._real.waiter())

    @hookimpl
    def flows_state_change(self, change: StateChange) -> None:
        """Move on where all that is left is to wait for a retry."""
        with self._lock:
            run, state = change.run, change.state
            _put(self._awaiting_retry, run.id, inside=state.name == "AwaitingRetry")
            if isinstance(run, TaskRun):
                _put(self._running, run.id, inside=state.is_running())
            if self._awaiting_retry and not self._running and self._pending:
                first = min(self._pending, key=lambda alarm: alarm.moment)
                self._skip(max(0.0, first.moment - self.monotonic()), max(self._now, first.due))

    @contextmanager
    def in_charge(self) -> Generator[None]:
        """Be the clock of the runtime, and of all user code, for the length of a block."""
        freezer = freeze_time(self._now.replace(tzinfo=None), ignore=_IGNORED)
        plugins().register(self)
        try:
            with default_environment(clock=self), _started(freezer) as frozen:
                self._follow = lambda now: frozen.move_to(now.replace(tzinfo=None))
                yield
        finally:
            self._follow = _nobody
            plugins().unregister(self)
            for alarm in list(self._pending):
                alarm.cancel()

    def forget(self, alarm: "_MovedAlarm") -> None:
        """The alarm rang, or was cancelled."""
        with self._lock:
            self._pending.discard(alarm)

    def real_alarm(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """An alarm of the machine's clock for a moment of this one."""
        return self._real.call_at(moment - self._skipped, callback)

    def _skip(self, seconds: float, now: datetime) -> None:
        self._skipped += seconds
        self._set(now)
        for alarm in self._pending:
            alarm.set_again()

    def _set(self, now: datetime) -> None:
        self._now = now
        self._follow(now)


class _MovedAlarm:
    """An alarm that is set anew whenever time is skipped."""

    def __init__(self, clock: FlowClock, moment: float, due: datetime, callback: Callable[[], None]) -> None:
        self.moment = moment
        #: what the wall clock, which stands, is to show then
        self.due = due
        self._clock = clock
        self._callback = callback
        self._set: Alarm | None = None

    def set_again(self) -> None:
        """Ring at the right time, as things are now."""
        if self._set is not None:
            self._set.cancel()
        self._set = self._clock.real_alarm(self.moment, self._ring)

    def cancel(self) -> None:
        """Forget the call."""
        self._clock.forget(self)
        if self._set is not None:
            self._set.cancel()

    def _ring(self) -> None:
        self._clock.forget(self)
        self._callback()


class _MovedWaiter:
    def __init__(self, clock: FlowClock, waiter: Waiter) -> None:
        self._clock = clock
        self._waiter = waiter
        self._woken = False

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return self._waiter.wait()
        alarm = self._clock.call_at(self._clock.monotonic() + timeout, self._waiter.wake)
        self._waiter.wait()
        alarm.cancel()
        return self._woken

    def wake(self) -> None:
        self._woken = True
        self._waiter.wake()


@contextmanager
def _started(freezer: Any) -> Generator[Any]:
    """Freeze the wall clock alone: freezegun is handed the real ones for its own monotonic clocks."""
    fakes = {f"fake_{name}": getattr(freezegun.api, f"fake_{name}") for name in _MONOTONIC}
    for name in _MONOTONIC:
        setattr(freezegun.api, f"fake_{name}", getattr(time, name))
    try:
        frozen = freezer.start()
    finally:
        for name, fake in fakes.items():
            setattr(freezegun.api, name, fake)
    try:
        yield frozen
    finally:
        freezer.stop()


def _put(ids: set[UUID], id: UUID, *, inside: bool) -> None:  # noqa: A002 - the word for it
    if inside:
        ids.add(id)
    else:
        ids.discard(id)


def _nobody(now: datetime) -> None:
    del now
