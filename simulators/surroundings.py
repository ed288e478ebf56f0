"""What code runs in: the scheduler that it takes turns under, if there is one."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import get_ident

from simulators.exceptions import SimulatorError
from simulators.scheduling import Scheduler

_active: Scheduler | None = None


def scheduler_here() -> Scheduler | None:
    """The scheduler that the calling code takes turns under, if it does."""
    scheduler = _active
    if scheduler is None or get_ident() not in scheduler.idents or not scheduler.under_way:
        return None
    return scheduler


@contextmanager
def active(scheduler: Scheduler) -> Generator[None]:
    """Let code that takes turns find ``scheduler``. There can be one at a time."""
    global _active
    if _active is not None:
        raise SimulatorError("There is a simulation under way in this process already; wait for its end.")
    _active = scheduler
    try:
        yield
    finally:
        _active = None
