"""Threads that simulated code starts: they are stacks that take turns with the rest."""

import _thread
import sys
import threading
from typing import Any
from weakref import WeakKeyDictionary

from simulators.patches.substitution import Substitutes
from simulators.scheduling import Abandoned, Scheduler, Stack, scheduler_here

_Thread = threading.Thread
_start, _join, _is_alive = _Thread.start, _Thread.join, _Thread.is_alive
_current_thread, _get_ident, _local = threading.current_thread, threading.get_ident, threading.local

#: the stack of each simulated thread, and who waits for its end
_stacks: "WeakKeyDictionary[threading.Thread, _Joinable]" = WeakKeyDictionary()
#: the first identity that a simulated thread may have; real ones are addresses, far above
_FIRST_IDENT = 1_000


def substitute(substitutes: Substitutes) -> None:
    """Starting and joining threads, and who one is."""
    substitutes.attribute(_Thread, "start", _start_simulated)
    substitutes.attribute(_Thread, "join", _join_simulated)
    substitutes.attribute(_Thread, "is_alive", _is_alive_simulated)
    substitutes.everywhere(threading, "current_thread", _current_simulated)
    substitutes.everywhere(threading, "get_ident", _ident_simulated)
    substitutes.attribute(_thread, "get_ident", _ident_simulated)
    substitutes.everywhere(threading, "local", SimulatedLocal)


class _Joinable:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ended = False
        self.joining: list[Stack] = []

    @property
    def holder(self) -> str:
        return self.stack.home.name

    def __repr__(self) -> str:
        return "the end of a thread"


class SimulatedLocal:
    """``threading.local``: attributes that each thread has for itself, simulated ones too."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the arguments: each thread that comes along calls ``__init__`` with them."""
        made = object.__new__(cls)
        object.__setattr__(made, "_of_each", {})
        object.__setattr__(made, "_arguments", (args, kwargs))
        return made

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name != "__dict__":
            return object.__getattribute__(self, name)
        mine = _mine(self)
        if name == "__dict__":
            return mine
        if name in mine:
            return mine[name]
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _mine(self)[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del _mine(self)[name]
        except KeyError:
            raise AttributeError(name) from None


def _mine(local: SimulatedLocal) -> dict[str, Any]:
    of_each: dict[Any, dict[str, Any]] = object.__getattribute__(local, "_of_each")
    scheduler = scheduler_here()
    who: Any = scheduler.current if scheduler is not None else _get_ident()
    mine = of_each.get(who)
    if mine is None:
        mine = of_each[who] = {}
        args, kwargs = object.__getattribute__(local, "_arguments")
        type(local).__init__(local, *args, **kwargs)
    return mine


def _start_simulated(thread: threading.Thread) -> None:
    scheduler = scheduler_here()
    if scheduler is None:
        _start(thread)
        return
    if thread in _stacks or thread._started.is_set():  # pyright: ignore
        raise RuntimeError("threads can only be started once")
    lane = scheduler.child_lane()
    context = scheduler.context.copy()
    stack = scheduler.spawn(lane, lambda: context.run(_live, thread))
    stack.thread = thread
    _stacks[thread] = _Joinable(stack)
    thread._ident = _ident_of(scheduler, stack)  # pyright: ignore
    thread._started.set()  # pyright: ignore
    if scheduler.level:
        scheduler.pause("start a thread")


def _live(thread: threading.Thread) -> None:
    joinable = _stacks[thread]
    try:
        thread.run()
    except (SystemExit, Abandoned):
        pass
    except BaseException as error:  # a thread may raise anything
        if isinstance(error.__context__, Abandoned):
            return  # it was cleaning up, with locks that nobody holds any more
        threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), thread]))
    finally:
        joinable.ended = True
        scheduler = scheduler_here()
        if scheduler is not None:
            for stack in joinable.joining:
                scheduler.wake(stack)


def _join_simulated(thread: threading.Thread, timeout: float | None = None) -> None:
    scheduler, joinable = scheduler_here(), _stacks.get(thread)
    if scheduler is None or joinable is None:
        _join(thread, timeout)
        return
    if joinable.stack is scheduler.current:
        raise RuntimeError("cannot join current thread")
    if not joinable.ended:
        joinable.joining.append(scheduler.current)
        scheduler.block("wait", joinable, None if timeout is None else max(timeout, 0.0))


def _is_alive_simulated(thread: threading.Thread) -> bool:
    joinable = _stacks.get(thread)
    return _is_alive(thread) if joinable is None else not joinable.ended


def _current_simulated() -> threading.Thread:
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current is scheduler.main:
        return _current_thread()
    stack = scheduler.current
    if stack.thread is None:
        stack.thread = _Thread(name=stack.home.name, daemon=True)
        stack.thread._started.set()
        stack.thread._ident = _ident_of(scheduler, stack)
        _stacks[stack.thread] = _Joinable(stack)
    return stack.thread


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
