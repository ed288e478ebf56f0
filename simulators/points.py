"""Points: where a switch may happen, as users declare them."""

from collections.abc import Hashable

from simulators.scheduling import scheduler_here


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
        scheduler.pause("access", resource, write)
