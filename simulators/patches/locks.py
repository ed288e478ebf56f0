"""Locks that know the scheduler: who waits for one is passed over until it is free.

Conditions, events, semaphores, barriers and queues of the standard library are made of locks, so they
follow. A real lock would not do: greenlets are one thread, and a thread that waits for itself waits for ever.
"""

import _thread
import queue
import threading
from typing import Any

from simulators.patches.substitution import Substitutes
from simulators.scheduling import OPERATIONS, Abandoned, Scheduler
from simulators.surroundings import scheduler_here
from simulators.turns import Lane, Stack

_real_lock, _real_rlock = threading.Lock, threading.RLock


def substitute(substitutes: Substitutes) -> None:
    """Locks that are made from now on, and those that modules hold."""
    substitutes.everywhere(threading, "Lock", SimulatedLock)
    substitutes.everywhere(threading, "RLock", SimulatedRLock)
    substitutes.attribute(threading, "_allocate_lock", _InnerLock)
    substitutes.attribute(_thread, "allocate_lock", _InnerLock)
    substitutes.everywhere(queue, "SimpleQueue", queue._PySimpleQueue)  # pyright: ignore
    substitutes.objects(type(_real_lock()), _in_place_of_lock)
    substitutes.objects(type(_real_rlock()), _in_place_of_rlock)


class SimulatedLock:
    """A lock of the simulation. Outside of one it is a real lock."""

    __slots__ = ("__weakref__", "_lane", "_locked", "_outside", "_owner", "_timed", "_waiting")

    #: whether taking it while it is free is a point
    _shows = True

    def __init__(self) -> None:
        self._locked = False
        self._owner: Stack | None = None
        self._lane: Lane | None = None
        #: who waits for as long as it takes; they can run only while it is free
        self._waiting: list[Stack] = []
        #: who waits for some time, and looks again whenever it was free
        self._timed: list[Stack] = []
        self._outside: Any = None
        # Imports make theirs in the first of many runs alone; counted, they would shift all other names.
        if self._shows and (scheduler := scheduler_here()) is not None:
            scheduler.see(self)

    @property
    def holder(self) -> str:
        """Who has it."""
        return self._lane.name if self._lane is not None else ""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; False where that did not work out in time."""
        scheduler = scheduler_here()
        if scheduler is None:
            return self._real().acquire(blocking, timeout)
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        coarse = scheduler.level < OPERATIONS and not scheduler.fine
        if not self._locked and (not self._shows or coarse or scheduler.ending):
            return self._take(scheduler)
        if not blocking:
            if not coarse:
                scheduler.pause("try to acquire", None)
            if self._locked:
                scheduler.touch(self, writes=False)
                return False
            return self._take(scheduler)
        if scheduler.ending:
            raise Abandoned
        return self._wait(scheduler) if timeout < 0 else self._wait_until(scheduler, scheduler.now + timeout)

    def release(self) -> None:
        """Give it back."""
        scheduler = scheduler_here()
        if scheduler is None:
            self._real().release()
            return
        if not self._locked:
            if scheduler.ending:  # whoever is ended where it waits for the lock leaves a `with` all the same
                return
            raise RuntimeError("release unlocked lock")
        self._free(scheduler)

    def locked(self) -> bool:
        """Whether anybody has it."""
        if (scheduler := scheduler_here()) is not None:
            scheduler.touch(self, writes=False)
        return self._locked or (self._outside is not None and self._outside.locked())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _wait(self, scheduler: Scheduler) -> bool:
        stack = scheduler.current
        self._waiting.append(stack)
        stack.awaited = self if self._shows else None
        try:
            if self._locked:
                scheduler.block("acquire", self)
            else:
                scheduler.pause("acquire")
        finally:
            self._waiting.remove(stack)
        return self._take(scheduler)

    def _wait_until(self, scheduler: Scheduler, deadline: float) -> bool:
        stack = scheduler.current
        if not self._locked:
            scheduler.pause("acquire")
        while self._locked:
            scheduler.touch(self, writes=False)
            if scheduler.now >= deadline:
                return False
            self._timed.append(stack)
            try:
                scheduler.block("acquire", self, deadline - scheduler.now)
            finally:
                self._timed.remove(stack)
        return self._take(scheduler)

    def _take(self, scheduler: Scheduler) -> bool:
        if self._shows:
            scheduler.touch(self, free=True)
        self._locked = True
        self._owner = scheduler.current
        self._lane = scheduler.current.lane
        for stack in self._waiting:
            scheduler.park(stack, self)
        return True

    def _free(self, scheduler: Scheduler) -> None:
        if self._shows:
            scheduler.touch(self)
        self._locked = False
        self._owner = self._lane = None
        for stack in (*self._waiting, *self._timed):
            scheduler.wake(stack)

    def _real(self) -> Any:
        if self._outside is None:
            self._outside = _real_lock()
        return self._outside

    # What conditions ask of their lock.

    def _is_owned(self) -> bool:
        return self.locked()

    def _release_save(self) -> Any:
        self.release()

    def _acquire_restore(self, saved: Any) -> None:
        del saved
        self.acquire()

    def _at_fork_reinit(self) -> None:
        self._locked = False
        self._outside = None

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")  # as of a real one

    def __repr__(self) -> str:
        return "a lock"


class _InnerLock(SimulatedLock):
    """A lock that no user wrote: of one who waits for a condition, or of an import."""

    __slots__ = ()
    _shows = False

    def __repr__(self) -> str:
        return "a notification"


class SimulatedRLock(SimulatedLock):
    """A lock that its owner may take again."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, once more where the caller has it already."""
        scheduler = scheduler_here()
        if scheduler is not None and self._locked and self._owner is scheduler.current:
            self._count += 1
            return True
        if super().acquire(blocking, timeout):
            self._count = 1
            return True
        return False

    def release(self) -> None:
        """Give it back, once."""
        scheduler = scheduler_here()
        if scheduler is None:
            self._real().release()
            return
        if scheduler.ending:
            self._free(scheduler)
            return
        if not self._locked or self._owner is not scheduler.current:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._free(scheduler)

    def _real(self) -> Any:
        if self._outside is None:
            self._outside = _real_rlock()
        return self._outside

    def _is_owned(self) -> bool:
        scheduler = scheduler_here()
        if scheduler is None:
            return self._real()._is_owned()
        return self._locked and self._owner is scheduler.current

    def _release_save(self) -> Any:
        scheduler = scheduler_here()
        if scheduler is None:
            return self._real()._release_save()
        count, self._count = self._count, 0
        self._free(scheduler)
        return count

    def _acquire_restore(self, saved: Any) -> None:
        if scheduler_here() is None:
            self._real()._acquire_restore(saved)
            return
        super().acquire()
        self._count = saved


def _in_place_of_lock(lock: Any) -> Any:
    # One that is held was taken by code outside, which will want to release it.
    return lock if lock.locked() else SimulatedLock()


def _in_place_of_rlock(lock: Any) -> Any:
    if not lock.acquire(blocking=False):
        return lock
    lock.release()
    return lock if lock._is_owned() else SimulatedRLock()
