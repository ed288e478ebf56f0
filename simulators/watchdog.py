"""Nobody hangs without a word: what to do about code that runs on without ever coming to a point.

Virtual time stands still while code runs, and nobody else has a turn. That is right for milliseconds. Code
that computes for seconds, loops for ever, or waits for a real lock that another stack holds, would keep
everything else from going on: so after a second, real time counts as virtual time, alarms ring, and others
get their turns. Such a run cannot be repeated exactly, and says so. After half a minute it is a failure.

How to get in
-------------
A signal's handler is called by the code itself, between two instructions, or while it waits for a lock. So it
may do what a point does. Only the main thread has that. With ``stacks="threads"`` nobody can step in, but the
run can end without the thread that stands still: after half a minute it is a failure there too. In an
exploration by greenlets on another thread than the main one there is nobody who could go on: the watch says,
on standard error, who stands where.
"""

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from runtime.threads import frame_of
from simulators.exceptions import Livelock
from simulators.scheduling import Scheduler

#: real seconds without a point, after which others get their turns
PATIENCE = 1.0
#: real seconds without a point that no run should need
LIMIT = 30.0
#: who computes for less than this part of the time waits
_BUSY = 0.02

_OURS = str(Path(__file__).parent)
# Taken before anybody replaces them.
_allocate_lock, _start_new_thread = _thread.allocate_lock, _thread.start_new_thread
_now, _process_time, _clock_gettime = time.monotonic, time.process_time, time.clock_gettime


@contextmanager
def watched(scheduler: Scheduler, patience: float = PATIENCE, limit: float = LIMIT) -> Generator[None]:
    """Watch over the simulated runs of a block."""
    in_main = threading.current_thread() is threading.main_thread()
    watch = _Watch(scheduler, patience, limit, steps_in=in_main and scheduler.carriers.one_thread)
    before = signal.signal(signal.SIGVTALRM, watch.step_in) if watch.steps_in else None
    watch.start()
    try:
        yield
    finally:
        watch.stop()
        if watch.steps_in:
            signal.signal(signal.SIGVTALRM, before)


class _Watch:
    def __init__(self, scheduler: Scheduler, patience: float, limit: float, *, steps_in: bool) -> None:
        self.steps_in = steps_in
        self._scheduler = scheduler
        self._patience = patience
        self._limit = limit
        self._ident = threading.get_ident()
        self._ending, self._ended = _allocate_lock(), _allocate_lock()
        self._seen: tuple[int, int] = (0, 0)
        self._work = _work_of(self._ident) if steps_in else _process_time
        self._since, self._worked = _now(), self._work()
        #: real seconds that were counted as virtual time since the last point
        self._counted = 0.0
        self._told = False

    def start(self) -> None:
        self._ending.acquire()
        self._ended.acquire()
        _start_new_thread(self._run, ())

    def stop(self) -> None:
        self._ending.release()
        self._ended.acquire()

    def _run(self) -> None:
        while not self._ending.acquire(timeout=self._patience / 2):
            steps = self._scheduler.steps
            seen = id(steps), len(steps) - self._scheduler.passes
            if seen != self._seen or not self._scheduler.under_way:
                self._seen, self._since, self._worked, self._counted = seen, _now(), self._work(), 0.0
                self._told = False
            elif self.steps_in and _now() - self._since >= self._patience and not self._kept_waiting():
                signal.pthread_kill(self._ident, signal.SIGVTALRM)
            elif not self._told and _now() - self._since >= self._limit:
                self._told = self._end_or_tell()
        self._ended.release()

    def _kept_waiting(self) -> bool:
        """Whether it would go on and others have the time: on a busy machine that is nobody's fault."""
        worked = self._work() - self._worked
        return (_now() - self._since) * _BUSY <= worked < self._patience

    def step_in(self, _: int, frame: FrameType | None) -> None:
        scheduler = self._scheduler
        frame = _interruptible(frame)
        if frame is None or not scheduler.under_way:
            return
        elapsed = _now() - self._since
        what, why = self._doing(frame, elapsed)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        scheduler.overruns.setdefault(place, f"{scheduler.current.run} {what}")
        if elapsed >= self._limit:
            raise Livelock(_overdue(scheduler.current.run, elapsed, what, why))
        passed, self._counted = elapsed - self._counted, elapsed
        scheduler.let_pass(passed)

    def _doing(self, frame: FrameType, elapsed: float) -> tuple[str, str]:
        """What the code does that does not come to a point, and why perhaps."""
        place = f"at {frame.f_code.co_filename}:{frame.f_lineno}"
        if self._work() - self._worked < elapsed * _BUSY:
            return (
                f"waits for what the simulation does not know {place}",
                "perhaps a lock made before the simulation",
            )
        return f"runs on {place}", "perhaps it loops for ever"

    def _end_or_tell(self) -> bool:
        """End a run that nobody can step into, or say where it stands; whether that worked out."""
        scheduler = self._scheduler
        stack = scheduler.current
        frame = _interruptible(frame_of(getattr(stack.carrier, "ident", None) or self._ident))
        if frame is None:
            return False
        elapsed = _now() - self._since
        what, why = self._doing(frame, elapsed)
        message = _overdue(stack.run, elapsed, what, why)
        if not scheduler.carriers.one_thread:
            others = [other.run for other in scheduler.stacks if other is not stack]
            if others:
                message += f"; meanwhile no turn came to {', '.join(others)}"
            scheduler.overruns[f"{frame.f_code.co_filename}:{frame.f_lineno}"] = f"{stack.run} {what}"
            scheduler.leave_behind(stack, Livelock(message))
        elif sys.__stderr__ is not None:
            print(message, file=sys.__stderr__, flush=True)
        return True


def _work_of(ident: int) -> Callable[[], float]:
    """The CPU time of a thread, or of the process where the system does not tell them apart."""
    if not hasattr(time, "pthread_getcpuclockid"):  # macOS
        return _process_time
    return partial(_clock_gettime, time.pthread_getcpuclockid(ident))


def _overdue(run: str, elapsed: float, what: str, why: str) -> str:
    return f"{run} has not come to a point for {elapsed:.0f} s: it {what} ({why})"


def _interruptible(frame: FrameType | None) -> FrameType | None:
    """The frame of the code that is simulated; None where the scheduler itself is at work."""
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        if frame.f_code.co_filename == _SCHEDULING and frame.f_code.co_name not in _QUESTIONS:
            return None
        frame = frame.f_back
    return frame


_SCHEDULING = str(Path(__file__).with_name("scheduling.py"))
#: what the scheduler is asked all the time, and changes nothing
_QUESTIONS = frozenset({"under_way"})
