"""What each event of a simulated run touched, for strategies that hear of it.

An event is a step that a strategy could choose, together with whatever went on at once because of it.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, cast

from simulators.partial_order import ANYTHING, TIME, Access, Event, RaceDetector, Racing
from simulators.turns import LoopTurn, Stack, Strike, Turn

Hear = Callable[[Event, int], None]


class Names:
    """Names for the things of one run.

    What was seen when it was made is called after who made it, and as how manieth: so it has one name in all
    executions that come to it. Other things have numbers, in the order in which they are first touched.
    """

    __slots__ = ("_made", "_names", "_things", "numbers")

    def __init__(self) -> None:
        self._names: dict[int, Hashable] = {}
        #: kept, so that no other object gets the identity of one that has a name
        self._things: dict[Hashable, object] = {}
        self._made: dict[str, int] = {}
        #: how many things have numbers
        self.numbers = 0

    def made(self, thing: object, by: str) -> None:
        """Name a new thing after the process that made it, unless it has a name."""
        if id(thing) in self._names:
            return
        count = self._made[by] = self._made.get(by, 0) + 1
        self._give(thing, f"{by}#{count}")

    def of(self, thing: object) -> Hashable:
        """The name of a thing."""
        name = self._names.get(id(thing))
        if name is None:
            name = self.numbers
            self.numbers += 1
            self._give(thing, name)
        return name

    def thing(self, name: Hashable) -> object:
        """The thing of that name; the name where users gave it."""
        return self._things.get(name, name)

    def _give(self, thing: object, name: Hashable) -> None:
        self._names[id(thing)] = name
        self._things[name] = thing


class Recorder:
    """Tells who wants to hear of each event when it is over, and looks for data races."""

    def __init__(self, hear: Hear | None, names: Names, races: RaceDetector, *, statements: bool) -> None:
        self._hear = hear
        self._names = names
        self._races = races
        #: between two points at statements anything may be touched
        self._usual = [Access("statement")] if statements else []
        #: the position of the present event
        self.index = -1
        #: events that together led to what is done now, without any order among them
        self._together: tuple[int, ...] = ()
        #: what led to the callback that is called now, if one is; it may have had to wait for the loop
        self._called_by: tuple[int, ...] | None = None
        #: a process that may end, and the stack that does not live in it, where there is one
        self.process: tuple[object, Stack] | None = None
        self._ends: dict[object, int] = {}
        self._counted: dict[int, tuple[int, ...]] = {}
        self._after = 0
        self._process = ""

    def touch(self, thing: object, key: Hashable = ANYTHING, writes: bool = True, free: bool = False) -> None:
        """The present event touches a thing that synchronises."""
        name = self._names.of(thing)
        self._races.synchronise(name, key, writes=writes)
        self._accesses.setdefault((name, key, writes), Access(name, key, writes, free))

    def made(self, thing: object) -> None:
        """The present event has made a thing that it may give to others."""
        self._names.made(thing, self._process)

    def ended(self, run: object) -> None:
        """The present event is the last of a thread, or of a task run."""
        self._ends[run] = self.index

    def comes_after_end_of(self, run: object) -> None:
        """The present event would have waited for the end of that, or did."""
        end = self._ends.get(run)
        if end is not None and end != self.index:
            self._causes.append(end)
            self._races.comes_after(end)

    def follows(self, turn: Turn, runs: Iterable[object]) -> None:
        """The turn could not come before the ends of those runs."""
        turn.causes += tuple(self._ends[run] for run in runs if run in self._ends)

    def makes_possible(self, turn: Turn) -> None:
        """The present event lets the turn come; who waits for a lock needs no more than the lock."""
        if type(turn) is LoopTurn or turn.awaited is None:
            caused_by = (self.index,) if self._called_by is None else self._called_by
            turn.causes = (*caused_by, *self._together)

    def begin_callback(self, turn: LoopTurn) -> None:
        """A callback of asyncio is called, perhaps one that others call too, as `gather` has one.

        Which of them counts up to the end makes no difference, but all of them have come before it. Where one
        of them failed it does: the first one settles it.
        """
        if turn.kind != "callback":
            return
        self._called_by, turn.causes = turn.causes, ()
        callback = turn.callback
        if (name := getattr(callback, "__qualname__", "")) not in _SHARED:
            return
        thing = getattr(callback, "__self__", callback)
        counts = name in _COUNTING and _succeeded(turn.args)
        self.touch(thing, "calls", writes=not counts)
        self._together = self._counted.get(id(thing), ())
        if counts:
            self._counted[id(thing)] = (*self._together, *(self._called_by or (self.index,)))

    def end_callback(self) -> None:
        """The callback has returned."""
        self._called_by = None
        self._together = ()

    def begin(self, turn: Turn) -> None:
        """A turn is taken: another event begins."""
        stack = turn.loop.stack if type(turn) is LoopTurn else turn.stack if type(turn) is Strike else turn
        self._start(turn.process, turn.point, stack, turn.causes)
        turn.causes = ()
        if turn.awaited is not None:
            self._waits_for = self._names.of(turn.awaited)
            if type(turn) is Stack:
                turn.awaited = None
        said = self._said(turn)
        if said is not None:
            self._accesses[said[:3]] = said
        for place in self._places(stack):
            self.touch(place, writes=False)
        if type(turn) is Stack and turn.strikes is not None:
            place = Access(turn.strikes[0].resource)
            self._accesses[place[:3]] = place
            self._instead = [self.left(strike) for strike in turn.strikes]
        self._look_for_races(turn)

    def go_on(self, turn: Turn) -> None:
        """The present event goes on with what a turn says."""
        said = self._said(turn)
        if said is not None:
            self._accesses.setdefault(said[:3], said)
        self._look_for_races(turn)

    def kills(self, turn: Turn) -> None:
        """The present event keeps something from going on, although it could."""
        self._kills.append(self.left(turn))

    def let_time_pass(self) -> None:
        """Nothing could go on, and time goes on."""
        self.finish()
        self._start(TIME, "", TIME)
        self._after = self.index
        self.finish()
        self._after = self.index + 1
        self._start(TIME, "", TIME)

    def finish(self, *, ends: bool = False) -> None:
        """The present event is over."""
        if not self._process:
            return
        process, self._process = self._process, ""
        self._races.finish()
        if self._hear is None:
            return
        event = Event(
            process,
            self._accesses.values(),
            self._point,
            self._causes,
            self._after,
            self._waits_for,
            ends=ends,
            instead=self._instead,
            kills=self._kills,
        )
        self._hear(event, self._names.numbers)

    def left(self, turn: Turn) -> Event:
        """What a turn would be that never came."""
        awaited = None if turn.awaited is None else self._names.of(turn.awaited)
        said = self._said(turn)
        accesses = [] if said is None else [said]
        if type(turn) is Stack and awaited is not None:
            accesses.append(Access(awaited))
        stack = turn.loop.stack if type(turn) is LoopTurn else turn
        accesses += [Access(self._names.of(place), writes=False) for place in self._places(stack)]
        return Event(
            turn.process, accesses, point=turn.point, causes=turn.causes, after=self._after, waits_for=awaited
        )

    def _places(self, stack: Turn) -> Sequence[object]:
        """What may stop it: its guards, its worker, and its process."""
        places: Sequence[object] = ()
        if type(stack) is Stack:
            places = stack.guards
            if stack.at_mercy_of is not None:
                places = (*places, stack.at_mercy_of)
        if self.process is not None and stack is not self.process[1]:
            places = (*places, self.process[0])
        return places

    def _said(self, turn: Turn) -> Access | None:
        """What a turn says of itself."""
        if type(turn) is LoopTurn:  # it takes its loop, and gives it back
            return Access(self._names.of(turn.loop), ANYTHING, writes=False, free=True)
        if type(turn) is Strike:
            return Access(turn.resource)
        if turn.kind == "access":
            return Access(("declared", turn.resource), ANYTHING, turn.writes)
        if turn.kind in _TOUCHING:
            name, key = cast("tuple[Hashable, Hashable]", turn.resource)
            return Access(name, key, turn.writes)
        return None

    def _look_for_races(self, turn: Turn) -> None:
        if type(turn) is not Stack or turn.where is None:
            return
        racing = Racing(turn.lane.name, turn.number, turn.writes, turn.where)
        if turn.kind == "access":
            self._races.access(("declared", turn.resource), ANYTHING, racing)
        else:
            self._races.access(*cast("tuple[Hashable, Hashable]", turn.resource), racing)

    def _start(self, process: str, point: str, thread: Hashable, causes: Sequence[int] = ()) -> None:
        self.index += 1
        self._races.begin(thread, causes)
        self._process = process
        self._point = point
        self._accesses: dict[Any, Access] = {access[:3]: access for access in self._usual}
        self._causes: list[int] = list(causes)
        self._waits_for: Hashable = None
        self._instead: list[Event] = []
        self._kills: list[Event] = []


def _succeeded(args: Sequence[object]) -> bool:
    future = args[0] if args else None
    return (
        isinstance(future, asyncio.Future)
        and future.done()
        and not future.cancelled()
        and (future.exception() is None)
    )


_TOUCHING = frozenset({"read", "write"})
#: What only counts how many of its calls are still to come.
_COUNTING = frozenset({"gather.<locals>._done_callback", "TaskGroup._on_task_done"})
#: What is called when any of several futures is done.
_SHARED = _COUNTING | {"_wait.<locals>._on_completion", "as_completed.<locals>._on_completion"}


def is_blocked(stack: Stack) -> bool:
    """Whether it waits for something that others have."""
    return stack.parked and stack.awaited is not None
