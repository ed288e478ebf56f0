"""Time as simulated code sees it: it stands still while anything can run."""

import time
from collections.abc import Callable
from typing import Any

from simulators.clocks import EPOCH, START, wall_time
from simulators.patches.substitution import Substitutes
from simulators.scheduling import Scheduler
from simulators.surroundings import scheduler_here


def substitute(substitutes: Substitutes) -> None:
    """Clocks, and sleep."""
    for name, (real, start) in _CLOCKS.items():
        substitutes.everywhere(time, name, _clock(getattr(time, name), start), real)
    for name, (real, start) in _CLOCKS_NS.items():
        substitutes.everywhere(time, name, _clock_ns(getattr(time, name), start), real)
    for name in ("localtime", "gmtime", "ctime"):
        substitutes.everywhere(time, name, _calendar(getattr(time, name)))
    substitutes.everywhere(time, "strftime", _strftime)
    substitutes.everywhere(time, "sleep", _sleep)


#: Taken before anybody freezes them, and what they show when a simulated run begins.
_CLOCKS = {
    "time": (time.time, EPOCH),
    "monotonic": (time.monotonic, START),
    "perf_counter": (time.perf_counter, START),
}
_CLOCKS_NS = {
    "time_ns": (time.time_ns, EPOCH),
    "monotonic_ns": (time.monotonic_ns, START),
    "perf_counter_ns": (time.perf_counter_ns, START),
}
#: how often the clock may be read between two points, before that counts as waiting for time to pass
_READS = 1_000
#: seconds that pass then
_PASSING = 0.1


def _read(scheduler: Scheduler) -> float:
    """The moment. Code that looks at the clock again and again waits for it to go on, so it does."""
    done = len(scheduler.steps)
    if scheduler.read_since != done:
        scheduler.read_since, scheduler.reads = done, 0
    scheduler.reads += 1
    if scheduler.reads > _READS:
        scheduler.let_pass(_PASSING)
    return scheduler.now


def _set_by(scheduler: Scheduler, start: float) -> float:
    """By how much the clock was set: nobody can set a monotonic one."""
    return scheduler.clock_set_by if start == EPOCH else 0.0


def _clock(real: Callable[[], float], start: float) -> Callable[[], float]:
    def now() -> float:
        scheduler = scheduler_here()
        return real() if scheduler is None else start + _read(scheduler) + _set_by(scheduler, start)

    return now


def _clock_ns(real: Callable[[], int], start: float) -> Callable[[], int]:
    def now() -> int:
        scheduler = scheduler_here()
        if scheduler is None:
            return real()
        return int(start) * 10**9 + round((_read(scheduler) + _set_by(scheduler, start)) * 1e9)

    return now


def _calendar(real: Callable[..., Any]) -> Callable[..., Any]:
    def at(seconds: float | None = None) -> Any:
        scheduler = scheduler_here()
        if seconds is None and scheduler is not None:
            seconds = wall_time(scheduler)
        return real(seconds)

    return at


def _strftime(format: str, moment: Any = None) -> str:  # noqa: A002 - its name in the standard library
    if moment is None:
        scheduler = scheduler_here()
        moment = _localtime(None if scheduler is None else wall_time(scheduler))
    return _real_strftime(format, moment)


def _sleep(seconds: float) -> None:
    scheduler = scheduler_here()
    if scheduler is None:
        _real_sleep(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    sleep(scheduler, seconds)


def sleep(scheduler: Scheduler, seconds: float) -> None:
    """Go on after so many seconds of virtual time."""
    if seconds > 0:
        scheduler.block("sleep", f"{seconds:g} s to pass", seconds)
    elif scheduler.level:
        scheduler.pause("sleep")


_real_sleep, _real_strftime, _localtime = time.sleep, time.strftime, time.localtime
