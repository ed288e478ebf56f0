"""What each event of a simulated run touched, for strategies that hear of it.

An event is a step that a strategy could choose, together with whatever went on at once because of it.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, cast

from simulators.partial_order import ANYTHING, Access, Event
from simulators.turns import LoopTurn, Stack, Turn

Hear = Callable[[Event, int], None]

#: Time that goes on, as a process.
TIME = "time"


class Names:
    """Numbers for the things of one run, in the order in which they are seen."""

    __slots__ = ("_numbers", "_things")

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        #: kept, so that no other object gets the identity of one that has a name
        self._things: list[object] = []

    def __len__(self) -> int:
        return len(self._things)

    def of(self, thing: object) -> int:
        """The number of a thing."""
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self._things)
            self._things.append(thing)
        return number


class Recorder:
    """Tells who wants to hear of each event when it is over."""

    def __init__(self, hear: Hear, names: Names, *, statements: bool) -> None:
        self._hear = hear
        self._names = names
        #: between two points at statements anything may be touched
        self._usual = [Access("statement")] if statements else []
        #: the position of the present event
        self.index = -1
        #: events that together led to what is done now, without any order among them
        self.together: tuple[int, ...] = ()
        self._ends: dict[object, int] = {}
        self._counted: dict[int, tuple[int, ...]] = {}
        self._after = 0
        self._process = ""

    def touch(self, thing: object, key: Hashable = ANYTHING, writes: bool = True, free: bool = False) -> None:
        """The present event touches a thing."""
        access = Access(self._names.of(thing), key, writes, free)
        self._accesses.setdefault(access[:3], access)

    def ended(self, run: object) -> None:
        """The present event is the last of a thread, or of a task run."""
        self._ends[run] = self.index

    def comes_after_end_of(self, run: object) -> None:
        """The present event would have waited for the end of that, or did."""
        end = self._ends.get(run)
        if end is not None:
            self._causes.append(end)

    def follows(self, turn: Turn, runs: Iterable[object]) -> None:
        """The turn could not come before the ends of those runs."""
        turn.causes += tuple(self._ends[run] for run in runs if run in self._ends)

    def makes_possible(self, turn: Turn) -> None:
        """The present event lets the turn come; who waits for a lock needs no more than the lock."""
        if type(turn) is LoopTurn or turn.awaited is None:
            turn.causes = (self.index, *self.together)

    def begin_callback(self, turn: LoopTurn) -> None:
        """A callback of asyncio is called, perhaps one that others call too, as `gather` has one.

        Which of them counts up to the end makes no difference, but all of them have come before it. Where one
        of them failed it does: the first one settles it.
        """
        callback = turn.callback
        if turn.kind != "callback" or (name := getattr(callback, "__qualname__", "")) not in _SHARED:
            return
        thing = getattr(callback, "__self__", callback)
        counts = name in _COUNTING and _succeeded(turn.args)
        self.touch(thing, "calls", writes=not counts)
        self.together = self._counted.get(id(thing), ())
        if counts:
            self._counted[id(thing)] = (*self.together, self.index)

    def begin(self, turn: Turn) -> None:
        """A turn is taken: another event begins."""
        self._start(turn.process, turn.point)
        self._causes += turn.causes
        turn.causes = ()
        if turn.awaited is not None:
            self._waits_for = self._names.of(turn.awaited)
            if type(turn) is Stack:
                turn.awaited = None
        for access in self._said(turn):
            self._accesses[access[:3]] = access

    def go_on(self, turn: Turn) -> None:
        """The present event goes on with what a turn says."""
        for access in self._said(turn):
            self._accesses.setdefault(access[:3], access)

    def let_time_pass(self) -> None:
        """Nothing could go on, and time goes on."""
        self.finish()
        self._start(TIME, "")
        self._after = self.index
        self.finish()
        self._after = self.index + 1
        self._start(TIME, "")

    def finish(self, *, ends: bool = False) -> None:
        """The present event is over."""
        if not self._process:
            return
        event = Event(
            self._process,
            list(self._accesses.values()),
            point=self._point,
            causes=self._causes,
            after=self._after,
            waits_for=self._waits_for,
            ends=ends,
        )
        self._process = ""
        self._hear(event, len(self._names))

    def left(self, turn: Turn) -> Event:
        """What a turn would be that never came."""
        awaited = None if turn.awaited is None else self._names.of(turn.awaited)
        accesses = list(self._said(turn))
        if type(turn) is Stack and awaited is not None:
            accesses.append(Access(awaited))
        return Event(
            turn.process, accesses, point=turn.point, causes=turn.causes, after=self._after, waits_for=awaited
        )

    def _said(self, turn: Turn) -> Iterator[Access]:
        """What a turn says of itself."""
        if type(turn) is LoopTurn:  # it takes its loop, and gives it back
            yield Access(self._names.of(turn.loop), ANYTHING, writes=False, free=True)
        elif turn.kind == "access":
            yield Access(("declared", turn.resource), ANYTHING, turn.writes)
        elif turn.kind in ("read", "write"):
            number, key = cast("tuple[int, Hashable]", turn.resource)
            yield Access(number, key, turn.writes)

    def _start(self, process: str, point: str) -> None:
        self.index += 1
        self._process = process
        self._point = point
        self._accesses: dict[Any, Access] = {access[:3]: access for access in self._usual}
        self._causes: list[int] = []
        self._waits_for: Hashable = None


def _succeeded(args: Sequence[object]) -> bool:
    future = args[0] if args else None
    return (
        isinstance(future, asyncio.Future)
        and future.done()
        and not future.cancelled()
        and (future.exception() is None)
    )


#: What only counts how many of its calls are still to come.
_COUNTING = frozenset({"gather.<locals>._done_callback", "TaskGroup._on_task_done"})
#: What is called when any of several futures is done.
_SHARED = _COUNTING | {"_wait.<locals>._on_completion", "as_completed.<locals>._on_completion"}


def is_blocked(stack: Stack) -> bool:
    """Whether it waits for something that others have."""
    return stack.parked and stack.awaited is not None
