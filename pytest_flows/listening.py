"""What is heard while a test runs: of workers, and of what threads do when time is up."""

import threading
import time
import warnings
from collections import deque
from typing import Any

from pytest_flows.elsewhere import LATE, SameFilters, StackWatch, stack_of
from runtime.history import StateChange
from runtime.hooks import hookimpl
from runtime.runs import TaskRun

#: stacks that a report tells: a test may have thousands of runs that take too long
_MOST_STACKS = 100


class Listener:
    """Hears of one test after the other."""

    def __init__(self) -> None:
        self._filters = SameFilters(())
        self._watches: dict[tuple[float | None, float | None], StackWatch] = {}
        self._timer: threading.Timer | None = None
        #: seconds since the epoch at which the test's time is nearly up
        self._deadline: float | None = None
        self.forget()

    def forget(self) -> None:
        """Another test begins."""
        #: what workers printed, logged and warned of
        self.output: list[str] = []
        #: what threads here did when time was up, the last times
        self.stacks: deque[str] = deque(maxlen=_MOST_STACKS)

    def watch(self, timeout: float) -> None:
        """The test may take so many seconds, from now on."""
        self._deadline = time.time() + LATE * timeout
        self._timer = threading.Timer(LATE * timeout, self._look)
        self._timer.daemon = True
        self._timer.start()

    def unwatch(self) -> None:
        """The test has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._deadline = None
        self._watches.clear()

    @hookimpl
    def flows_worker_output(self, run: TaskRun, worker: str, text: str) -> None:
        """Keep what a worker said."""
        lines = text.rstrip("\n").split("\n")
        self.output += [f"{run.short_name} on {worker}: {lines[0]}", *(f"  {line}" for line in lines[1:])]

    @hookimpl
    def flows_state_change(self, change: StateChange) -> None:
        """Look at what goes on when a run has taken too long."""
        if change.state.name == "TimedOut":
            self._look()

    @hookimpl
    def flows_around_attempts(self, attempt: Any) -> list[Any]:
        """Have warnings filtered in workers as here, and attempts watched that may take too long."""
        filters = tuple(warnings.filters)
        if filters != self._filters.filters:
            self._filters = SameFilters(filters)
        limits = (self._deadline, attempt.call.definition.policy.timeout)
        if limits == (None, None):
            return [self._filters]
        return [self._filters, self._watches.setdefault(limits, StackWatch(*limits))]

    def _look(self) -> None:
        others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
        self.stacks += [stack for thread in others if (stack := stack_of(thread))]
