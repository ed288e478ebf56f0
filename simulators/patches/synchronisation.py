"""Looks at events, and asyncio's locks, conditions and queues: what depends on what, for those who record it.

What asyncio makes of plain attributes is known here by its methods: each that changes something is a write
of the whole object, each that only looks is a read. What a method does once it has waited belongs to a later
step, so it is told again when it returns.
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from simulators.patches.substitution import Substitutes
from simulators.scheduling import OPERATIONS
from simulators.surroundings import scheduler_here

#: The methods of each class that look at it, and those that change it.
_METHODS: dict[type, tuple[str, str]] = {
    asyncio.Lock: ("locked", "acquire release"),
    asyncio.Event: ("is_set wait", "set clear"),
    asyncio.Condition: ("", "wait notify"),
    asyncio.Semaphore: ("locked", "acquire release"),
    asyncio.Queue: ("qsize empty full join", "put get put_nowait get_nowait task_done"),
}
_is_set = threading.Event.is_set


def substitute(substitutes: Substitutes) -> None:
    """Methods that tell what they touch."""
    for kind, (looking, changing) in _METHODS.items():
        substitutes.attribute(kind, "__init__", _seen(kind.__init__))
        for names, writes in ((looking, False), (changing, True)):
            for name in names.split():
                method = getattr(kind, name)
                told = _told_async if inspect.iscoroutinefunction(method) else _told
                substitutes.attribute(kind, name, told(method, writes))
    substitutes.attribute(threading.Event, "__init__", _seen(threading.Event.__init__))
    substitutes.attribute(threading.Event, "is_set", _is_set_as_point)
    substitutes.attribute(threading.Event, "set", _told_after(threading.Event.set))
    substitutes.attribute(threading.Event, "clear", _told_after(threading.Event.clear))


def _seen(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def seen(thing: Any, *args: Any, **kwargs: Any) -> None:
        init(thing, *args, **kwargs)
        if (scheduler := scheduler_here()) is not None:
            scheduler.see(thing)

    return seen


def _touch(thing: object, *, writes: bool) -> None:
    if (scheduler := scheduler_here()) is not None:
        scheduler.touch(thing, writes=writes)


def _told(method: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    def told(thing: Any, *args: Any, **kwargs: Any) -> Any:
        _touch(thing, writes=writes)
        return method(thing, *args, **kwargs)

    return told


def _told_async(method: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    async def told(thing: Any, *args: Any, **kwargs: Any) -> Any:
        _touch(thing, writes=writes)
        try:
            return await method(thing, *args, **kwargs)
        finally:
            _touch(thing, writes=writes)

    return told


def _told_after(method: Callable[..., Any]) -> Callable[..., Any]:
    """For a method that waits for a lock before it changes anything."""

    @functools.wraps(method)
    def told(thing: Any) -> None:
        method(thing)
        _touch(thing, writes=True)

    return told


def _is_set_as_point(event: threading.Event) -> bool:
    scheduler = scheduler_here()
    if scheduler is not None:
        if scheduler.fine or scheduler.level >= OPERATIONS:
            scheduler.pause("look")
        scheduler.touch(event, writes=False)
    return _is_set(event)
