"""Logging from simulated code: it decides nothing, and thousands of schedules do not fill the console."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from simulators.patches.substitution import Substitutes

_real_rlock = threading.RLock


def substitute(substitutes: Substitutes) -> None:
    """Handlers get real locks: to write a line is no point, or logging would change what is explored."""
    substitutes.attribute(logging.Handler, "createLock", _create_real_lock)


@contextmanager
def quiet_console() -> Generator[None]:
    """For the length of a block the log of runs is not shown where nobody has configured logging."""
    flows = logging.getLogger("flows")
    ours = all(handler.__module__ == "runtime.logging" for handler in flows.handlers)
    if logging.getLogger().handlers or not ours:
        yield
        return
    level, silence = flows.level, logging.NullHandler()
    flows.addHandler(silence)
    flows.setLevel(logging.WARNING)
    try:
        yield
    finally:
        flows.setLevel(level)
        flows.removeHandler(silence)


def _create_real_lock(handler: Any) -> None:
    handler.lock = _real_rlock()
    getattr(logging, "_register_at_fork_reinit_lock")(handler)  # noqa: B009 - it is private there
