"""Threads of a simulation, as the engine asks for them: stacks that take turns."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from runtime.threads import Interrupted
from simulators.loops import SimulatedLoop
from simulators.scheduling import Scheduler
from simulators.stores import WatchedLock
from simulators.turns import Stack

MakeLock = Callable[[], AbstractContextManager[object]]
_real_rlock: MakeLock = threading.RLock  # taken before anybody replaces it


class SimulatedThreads:
    """Gives the engine stacks where it asks for threads."""

    def __init__(self, scheduler: Scheduler, make_lock: MakeLock = _real_rlock) -> None:
        self._scheduler = scheduler
        self._make_lock = make_lock

    def watch(self, given_back: Callable[[], None]) -> None:
        """Have ``given_back`` called whenever a lock was given back by whoever had taken it first."""
        make_lock = self._make_lock
        self._make_lock = lambda: WatchedLock(make_lock(), given_back)

    def start(self, run: Callable[[], None], name: str) -> None:
        """Call ``run`` on a stack of its own."""
        scheduler = self._scheduler
        scheduler.spawn(scheduler.new_lane(name), run)

    def guard(self) -> "SimulatedGuard":
        """A guard that raises in a stack."""
        return SimulatedGuard(self._scheduler)

    def lock(self) -> AbstractContextManager[object]:
        """A lock for bookkeeping. A real one does where nobody takes turns while it is held."""
        return self._make_lock()

    def start_loop(self, name: str) -> "SimulatedLoopThread":
        """An event loop on a stack of its own."""
        return SimulatedLoopThread(self._scheduler, name)


class SimulatedGuard:
    """One call that others may interrupt: at its next point, or where it waits."""

    __slots__ = ("_interrupted", "_scheduler", "_stack")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._stack: Stack | None = None
        self._interrupted = False

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function, once."""
        self._scheduler.touch(self, writes=False)
        if self._interrupted:
            raise Interrupted
        self._stack = stack = self._scheduler.current
        around, stack.guards = stack.guards, (*stack.guards, self)
        try:
            return function(*args, **kwargs)
        finally:
            self._stack, stack.guards = None, around
            if type(stack.raising) is Interrupted:  # it has not arrived, and is not wanted any more
                stack.raising = None

    def interrupt(self) -> None:
        """Tell the call to stop."""
        self._scheduler.touch(self)
        if not self._interrupted:
            self._interrupted = True
            if self._stack is not None:
                self._scheduler.throw(self._stack, Interrupted())


class SimulatedLoopThread:
    """A stack that runs an event loop and nothing else."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self._scheduler = scheduler
        self._simulated = SimulatedLoop(scheduler)
        self.loop: asyncio.AbstractEventLoop = self._simulated
        self._ended = False
        self._waiting: Stack | None = None
        self._stack = scheduler.spawn(scheduler.new_lane(name), self._run, "loop")

    def stop(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        if self._ended:
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        scheduler = self._scheduler
        if scheduler.current is not self._stack and not self._ended:
            self._waiting = scheduler.current
            scheduler.block("wait", "the event loop to end")

    def _run(self) -> None:
        try:
            self._simulated.run_forever()
            self._simulated.cancel_all()
        finally:
            self.loop.close()
            self._ended = True
            if self._waiting is not None:
                self._scheduler.wake(self._waiting)
