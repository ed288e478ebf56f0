"""Points: where a switch may happen, as users declare them."""

import inspect
from collections.abc import Hashable

from simulators.partial_order import Spot
from simulators.surroundings import scheduler_here


def checkpoint(label: str = "") -> None:
    """Say that a switch may happen here. Outside of a simulation it does nothing."""
    scheduler = scheduler_here()
    if scheduler is not None:
        scheduler.pause("checkpoint", label or None)


def access(resource: Hashable, write: bool = False) -> None:
    """Say that a switch may happen here, and that ``resource`` is read next, or written.

    Two runs that touch one resource, one of them writing, may depend on their order; all else is known
    not to. Outside of a simulation it does nothing.
    """
    scheduler = scheduler_here()
    if scheduler is not None:
        where = None
        if scheduler.recorder is not None:
            caller = inspect.currentframe()
            assert caller is not None
            caller = caller.f_back
            assert caller is not None
            code = caller.f_code
            where = Spot(code.co_filename, caller.f_lineno, code.co_qualname)
        scheduler.pause("access", resource, write, where=where)
