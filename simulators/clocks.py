"""Virtual time: it stands still while anything can run, and then jumps to the next alarm."""

from collections.abc import Callable

from simulators.alarms import Alarm
from simulators.scheduling import Scheduler
from simulators.turns import Stack

#: When simulated runs begin, in seconds since the epoch: 1 January 2024, noon, UTC.
EPOCH = 1_704_110_400.0
#: What a monotonic clock shows then; not 0, which careless code takes for "never".
START = 1_024.0


def wall_time(scheduler: Scheduler) -> float:
    """Seconds since the epoch, as the clock on the wall shows them: it may have been set."""
    return EPOCH + scheduler.clock_set_by + scheduler.now


class VirtualClock:
    """The clock of a simulation."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def time(self) -> float:
        """Seconds since the epoch."""
        return wall_time(self._scheduler)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return START + self._scheduler.now

    def call_at(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback``, on a stack of its own, when :meth:`monotonic` has reached ``moment``."""
        scheduler = self._scheduler
        return scheduler.set_alarm(moment - START, Stack(scheduler.current.lane, "alarm", callback))

    def waiter(self) -> "VirtualWaiter":
        """A wait of one stack."""
        return VirtualWaiter(self._scheduler)


class VirtualWaiter:
    """One wait of one stack."""

    __slots__ = ("_scheduler", "_stack", "_woken")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._stack: Stack | None = None
        self._woken = False

    def wait(self, timeout: float | None = None) -> bool:
        """Block until woken, at most ``timeout`` seconds of the clock; whether it was woken."""
        if not self._woken:
            scheduler = self._scheduler
            self._stack = scheduler.current
            scheduler.block("wait", self, timeout)
            self._stack = None
        return self._woken

    def wake(self) -> None:
        """End the wait, now or as soon as it begins."""
        self._woken = True
        if self._stack is not None:
            self._scheduler.wake(self._stack)

    def __repr__(self) -> str:
        return "a run to go on"
