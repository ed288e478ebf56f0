"""Futures of task runs, for those who record what depends on what.

Who waits for a run comes after it, whether the run had settled already or not: the wait is a point either way
where every wait is one. Who only looks at a state races with whoever changes it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from runtime.futures import PrefectFuture
from runtime.states import State
from simulators.patches.substitution import Substitutes
from simulators.scheduling import Scheduler
from simulators.surroundings import scheduler_here

_Future: Any = PrefectFuture  # whatever their results are
_init, _enter, _settle = _Future.__init__, _Future.enter, _Future.settle
_get_state = _Future.get_state
_wait_here, _wait_async = _Future.wait_here, _Future.wait_async
_settled = _Future.settled.fget


def substitute(substitutes: Substitutes) -> None:
    """What is read of futures, and written."""
    substitutes.attribute(PrefectFuture, "__init__", _init_seen)
    substitutes.attribute(PrefectFuture, "enter", _enter_recorded)
    substitutes.attribute(PrefectFuture, "settle", _settle_recorded)
    substitutes.attribute(PrefectFuture, "get_state", _get_state_recorded)
    substitutes.attribute(PrefectFuture, "settled", property(_settled_recorded))
    substitutes.attribute(PrefectFuture, "wait_here", _wait_here_as_point)
    substitutes.attribute(PrefectFuture, "wait_async", _wait_async_as_point)


def _recording() -> Scheduler | None:
    scheduler = scheduler_here()
    return scheduler if scheduler is not None and scheduler.recorder is not None else None


def _init_seen(future: Any, *args: Any, **kwargs: Any) -> None:
    _init(future, *args, **kwargs)
    if (scheduler := _recording()) is not None:
        scheduler.see(future)


def _enter_recorded(future: Any, state: State) -> None:
    _enter(future, state)
    if (scheduler := _recording()) is not None:
        scheduler.touch(future, "state")


def _settle_recorded(future: Any) -> list[Callable[[Any], object]]:
    callbacks = _settle(future)
    if (scheduler := _recording()) is not None and scheduler.recorder is not None:
        scheduler.recorder.ended(future.task_run.id)
        failed = not _get_state(future).is_completed()
        for callback in callbacks:
            # Several futures may have it: their order shows, unless all that counts is that each has settled.
            if (listener := getattr(callback, "__self__", None)) is not None:
                scheduler.touch(listener, "calls")
            elif (driver := getattr(callback, "driver", None)) is not None:
                scheduler.touch(driver, "calls", writes=failed)
    return callbacks


def _get_state_recorded(future: Any) -> State:
    if (scheduler := _recording()) is not None:
        _settled_recorded(future)
        scheduler.touch(future, "state", writes=False)
    return _get_state(future)


def _settled_recorded(future: Any) -> bool:
    settled: bool = _settled(future)
    if settled and (scheduler := _recording()) is not None and scheduler.recorder is not None:
        scheduler.recorder.comes_after_end_of(future.task_run.id)
    return settled


def _wait_here_as_point(future: Any, timeout: float | None = None) -> State | None:
    scheduler = scheduler_here()
    if scheduler is not None and scheduler.fine and _settled(future):
        scheduler.pause("wait")
    return _wait_here(future, timeout)


async def _wait_async_as_point(future: Any, timeout: float | None = None) -> State | None:
    scheduler = scheduler_here()
    if scheduler is not None and scheduler.fine and _settled(future):
        await asyncio.sleep(0)
    return await _wait_async(future, timeout)
