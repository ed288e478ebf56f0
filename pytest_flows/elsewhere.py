"""What is around attempts in workers' processes while a test runs.

This travels: it is made in pytest's process, and entered in a worker's.
"""

import threading
import time
import traceback
import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runtime.logging import OUTLET
from runtime.threads import frame_of

#: the part of a timeout after which stacks are looked at: as late as can be, and still in time
LATE = 0.9
_FRAMES = 50
_OF_PYTEST = {"_pytest", "pluggy"}


@dataclass(frozen=True, slots=True)
class SameFilters:
    """The filters of warnings that pytest has: what is an error there is one here."""

    filters: tuple[Any, ...]

    def __call__(self) -> AbstractContextManager[object]:
        """Filter warnings so as long as attempts run."""
        return _filtering.by(self.filters)


@dataclass(frozen=True, slots=True)
class StackWatch:
    """Tells what an attempt is doing, shortly before it takes too long."""

    #: seconds since the epoch at which the test's time is nearly up
    deadline: float | None
    #: seconds that the attempt may take
    timeout: float | None

    def __call__(self) -> AbstractContextManager[object]:
        """Watch the attempt that this thread makes."""
        delays = [self.deadline - time.time()] if self.deadline is not None else []
        delays += [LATE * self.timeout] if self.timeout is not None else []
        return _watched(min(delays))


def stack_of(thread: threading.Thread) -> str:
    """What a thread is doing, as text; "" where it has ended."""
    frame = frame_of(thread.ident or 0)
    if frame is None:
        return ""
    frames = traceback.extract_stack(frame, _FRAMES)
    told = [each for each in frames if _OF_PYTEST.isdisjoint(Path(each.filename).parts)]
    return f"{thread.name}\n{''.join(traceback.format_list(told))}"


@contextmanager
def _watched(delay: float) -> Generator[None]:
    outlet, thread = OUTLET.get(), threading.current_thread()

    def look() -> None:
        if outlet is not None:
            outlet.remark(f"time is nearly up for {stack_of(thread)}")

    timer = threading.Timer(delay, look)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Filtering:
    """The filters of a process, whose attempts may run at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = warnings.catch_warnings()

    @contextmanager
    def by(self, filters: tuple[Any, ...]) -> Generator[None]:
        with self._lock:
            if self._users == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
            self._users += 1
            if tuple(warnings.filters[:-1]) != filters:
                warnings.resetwarnings()
                cast("list[Any]", warnings.filters).extend(filters)
                # what a filter at the end changes is nothing, but that the list is read again
                warnings.simplefilter("default", append=True)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._before.__exit__(None, None, None)


_filtering = _Filtering()
