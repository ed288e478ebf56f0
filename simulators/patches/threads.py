"""Threads that simulated code starts: they are stacks that take turns with the rest."""

import _thread
import sys
import threading
from typing import Any

from simulators.patches.substitution import Substitutes
from simulators.scheduling import Abandoned, Scheduler
from simulators.surroundings import scheduler_here
from simulators.turns import Stack

_Thread = threading.Thread
_init, _start, _join, _is_alive = _Thread.__init__, _Thread.start, _Thread.join, _Thread.is_alive
_current_thread, _get_ident = threading.current_thread, threading.get_ident

#: the first identity that a simulated thread may have; real ones are addresses, far above
_FIRST_IDENT = 1_000


def substitute(substitutes: Substitutes) -> None:
    """Starting and joining threads, and who one is."""
    substitutes.attribute(_Thread, "__init__", _init_simulated)
    substitutes.attribute(_Thread, "__hash__", _hash_simulated)
    substitutes.attribute(_Thread, "start", _start_simulated)
    substitutes.attribute(_Thread, "join", _join_simulated)
    substitutes.attribute(_Thread, "is_alive", _is_alive_simulated)
    substitutes.everywhere(threading, "current_thread", _current_simulated)
    substitutes.everywhere(threading, "get_ident", _ident_simulated)
    substitutes.attribute(_thread, "get_ident", _ident_simulated)


class _Joinable:
    """The stack of a simulated thread, and who waits for its end."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ended = False
        self.joining: list[Stack] = []

    @property
    def holder(self) -> str:
        return self.stack.home.name

    def __repr__(self) -> str:
        return "the end of a thread"


def _joinable_of(thread: threading.Thread) -> _Joinable | None:
    return thread.__dict__.get("_simulated")


def _make_joinable(thread: Any, stack: Stack) -> _Joinable:
    # Kept by the thread: a stack knows its thread, so that a table from one to the other would keep them all.
    thread._simulated = joinable = _Joinable(stack)
    return joinable


def _init_simulated(thread: Any, *args: Any, **kwargs: Any) -> None:
    scheduler = scheduler_here()
    if scheduler is not None:
        scheduler.threads_made += 1
        thread._simulated_hash = scheduler.threads_made
    _init(thread, *args, **kwargs)


def _hash_simulated(thread: Any) -> int:
    # Not an address, so that sets of threads come in the same order every time.
    return thread.__dict__.get("_simulated_hash") or object.__hash__(thread)


def _start_simulated(thread: threading.Thread) -> None:
    scheduler = scheduler_here()
    if scheduler is None:
        _start(thread)
        return
    if _joinable_of(thread) is not None or thread._started.is_set():  # pyright: ignore
        raise RuntimeError("threads can only be started once")
    lane = scheduler.child_lane()
    context = scheduler.context.copy()
    stack = scheduler.spawn(lane, lambda: context.run(_live, thread))
    stack.thread = thread
    joinable = _make_joinable(thread, stack)
    scheduler.see(joinable)
    thread._ident = _ident_of(scheduler, stack)  # pyright: ignore
    _say_started(thread)
    _mark_ended(thread)
    if scheduler.level:
        scheduler.pause("start a thread")


class _EndedHandle:
    ident = 0

    def join(self, timeout: float | None = None) -> None:
        del timeout

    def is_done(self) -> bool:
        return True


def _mark_ended(thread: Any) -> None:
    """For whoever asks the operating system about it, after the simulation: there is nothing to wait for."""
    if hasattr(thread, "_handle"):  # since Python 3.13
        thread._handle = _EndedHandle()
    else:
        thread._is_stopped = True


def _live(thread: threading.Thread) -> None:
    joinable = _joinable_of(thread)
    assert joinable is not None
    try:
        thread.run()
    except (SystemExit, Abandoned):
        pass
    except BaseException:  # a thread may raise anything
        if (scheduler := scheduler_here()) is not None and scheduler.ending:
            return
        threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), thread]))
    finally:
        joinable.ended = True
        scheduler = scheduler_here()
        if scheduler is not None:
            scheduler.touch(joinable)
            if scheduler.recorder is not None:
                scheduler.recorder.ended(joinable)
            for stack in joinable.joining:
                scheduler.wake(stack)


def _join_simulated(thread: threading.Thread, timeout: float | None = None) -> None:
    scheduler, joinable = scheduler_here(), _joinable_of(thread)
    if joinable is None:
        _join(thread, timeout)
        return
    if scheduler is None:  # its simulation is over, and with it the thread
        return
    if joinable.stack is scheduler.current:
        raise RuntimeError("cannot join current thread")
    if not joinable.ended:
        joinable.joining.append(scheduler.current)
        scheduler.block("wait", joinable, None if timeout is None else max(timeout, 0.0))
    else:
        if scheduler.fine:
            scheduler.pause("wait")
        if scheduler.recorder is not None:
            scheduler.recorder.comes_after_end_of(joinable)


def _is_alive_simulated(thread: threading.Thread) -> bool:
    joinable = _joinable_of(thread)
    if joinable is None:
        return _is_alive(thread)
    scheduler = scheduler_here()
    if scheduler is None:
        return False
    scheduler.touch(joinable, writes=False)
    return not joinable.ended


def _current_simulated() -> threading.Thread:
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current is scheduler.main:
        return _current_thread()
    stack = scheduler.current
    if stack.thread is None:
        stack.thread = _Thread(name=stack.home.name, daemon=True)
        _say_started(stack.thread)
        stack.thread._ident = _ident_of(scheduler, stack)
        _make_joinable(stack.thread, stack)
    return stack.thread


def _say_started(thread: threading.Thread) -> None:
    # As `set` does, but without its lock: nobody waits for it, and users have not written it.
    thread._started._flag = True  # pyright: ignore


def _ident_simulated() -> int:
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current is scheduler.main:
        return _get_ident()
    return _ident_of(scheduler, scheduler.current)


def _ident_of(scheduler: Scheduler, stack: Stack) -> int:
    if not stack.ident:
        scheduler.idents_given += 1
        stack.ident = _FIRST_IDENT + scheduler.idents_given
    return stack.ident
