"""Nobody hangs without a word: what to do about code that runs on without ever coming to a point.

Virtual time stands still while code runs, and nobody else has a turn. That is right for milliseconds. Code
that computes for seconds, loops for ever, or waits for a real lock that another stack holds, would keep
everything else from going on: so after a second, real time counts as virtual time, alarms ring, and others
get their turns. Such a run cannot be repeated exactly, and says so. After half a minute it is a failure.

How to get in
-------------
A signal's handler is called by the code itself, between two instructions, or while it waits for a lock. So it
may do what a point does. Only the main thread has that; an exploration on another one is not watched.
"""

import _thread
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from simulators.exceptions import Livelock
from simulators.scheduling import Scheduler

#: real seconds without a point, after which others get their turns
PATIENCE = 1.0
#: real seconds without a point that no run should need
LIMIT = 30.0

_OURS = str(Path(__file__).parent)
# Taken before anybody replaces them.
_allocate_lock, _start_new_thread, _now = _thread.allocate_lock, _thread.start_new_thread, time.monotonic


@contextmanager
def watched(scheduler: Scheduler, patience: float = PATIENCE, limit: float = LIMIT) -> Generator[None]:
    """Watch over the simulated runs of a block."""
    if threading.current_thread() is not threading.main_thread() or not scheduler.carriers.one_thread:
        yield
        return
    watch = _Watch(scheduler, patience, limit)
    before = signal.signal(signal.SIGVTALRM, watch.step_in)
    watch.start()
    try:
        yield
    finally:
        watch.stop()
        signal.signal(signal.SIGVTALRM, before)


class _Watch:
    def __init__(self, scheduler: Scheduler, patience: float, limit: float) -> None:
        self._scheduler = scheduler
        self._patience = patience
        self._limit = limit
        self._ident = threading.get_ident()
        self._ending, self._ended = _allocate_lock(), _allocate_lock()
        self._seen: tuple[int, int] = (0, 0)
        self._since = _now()
        #: real seconds that were counted as virtual time since the last point
        self._counted = 0.0

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
                self._seen, self._since, self._counted = seen, _now(), 0.0
            elif _now() - self._since >= self._patience:
                signal.pthread_kill(self._ident, signal.SIGVTALRM)
        self._ended.release()

    def step_in(self, _: int, frame: FrameType | None) -> None:
        scheduler = self._scheduler
        frame = _interruptible(frame)
        if frame is None or not scheduler.under_way:
            return
        elapsed = _now() - self._since
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        scheduler.overruns.setdefault(place, scheduler.current.run)
        if elapsed >= self._limit:
            raise Livelock(
                f"{scheduler.current.run} has run for {elapsed:.0f} s without coming to a point, at {place}. "
                "Perhaps it loops for ever, or waits for a lock that the simulation does not know."
            )
        passed, self._counted = elapsed - self._counted, elapsed
        scheduler.let_pass(passed)


def _interruptible(frame: FrameType | None) -> FrameType | None:
    """The frame of the code that is simulated; None where the scheduler itself is at work."""
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        if frame.f_code.co_filename == _SCHEDULING and frame.f_code.co_name not in _QUESTIONS:
            return None
        frame = frame.f_back
    return frame


_SCHEDULING = str(Path(__file__).with_name("scheduling.py"))
#: what the scheduler is asked all the time, and changes nothing
_QUESTIONS = frozenset({"scheduler_here", "under_way"})
