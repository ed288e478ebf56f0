"""Event loops that simulated code makes: they are simulated too."""

import asyncio
from asyncio import events, runners
from typing import Any

from simulators.loops import SimulatedLoop
from simulators.patches.substitution import Substitutes
from simulators.surroundings import scheduler_here

_new_event_loop = events.new_event_loop
_cancel_all_tasks: Any = getattr(runners, "_cancel_all_tasks")  # noqa: B009 - it is private there


def substitute(substitutes: Substitutes) -> None:
    """``asyncio.run`` and everything else that makes a loop."""
    substitutes.everywhere(events, "new_event_loop", _simulated_loop)
    substitutes.attribute(runners, "_cancel_all_tasks", _cancel_in_order)


def _simulated_loop() -> asyncio.AbstractEventLoop:
    scheduler = scheduler_here()
    return _new_event_loop() if scheduler is None else SimulatedLoop(scheduler)


def _cancel_in_order(loop: Any) -> None:
    # asyncio cancels a set, whose order depends on addresses.
    if isinstance(loop, SimulatedLoop):
        loop.cancel_all()
    else:
        _cancel_all_tasks(loop)
