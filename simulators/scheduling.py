"""The scheduler: it holds what could be done next, has a strategy choose, and hands over to it.

There is no central loop. Whoever stops finds out who is next and switches there directly, or goes on
without any switch where that is itself.

What is visible
---------------
A run stops at every point that the level of detail shows. Between two such points its code concerns nobody
else, by the user's choice of ``points``: so what was woken, or has just begun, first runs up to its next
visible point, in order and without a decision. Only then is there something to decide.

What is fair
------------
Strategies may pass somebody over for ever, and time stands still while anything can run. Code that asks again
and again whether something has happened yet would ask for ever. So after every ``FAIRNESS`` operations time
goes on to the next alarm, if it stood still, and somebody who has not moved gets a turn. Nobody decides that.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextvars import Context
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

from runtime.threads import raise_in
from simulators.alarms import Alarm, Alarms
from simulators.exceptions import SimulatorError
from simulators.partial_order import ANYTHING, Event, RaceDetector, Racing, Where
from simulators.recording import Names, Recorder, is_blocked
from simulators.schedules import Points
from simulators.stacks import Carrier, Carriers, ThreadCarrier
from simulators.strategies import Operation, Strategy
from simulators.turns import Lane, LoopTurn, Stack, Strike, Turn

if TYPE_CHECKING:
    from simulators.loops import SimulatedLoop

OPERATIONS, STATEMENTS, ACCESSES = 1, 2, 3
_LEVELS = {"declared": 0, "operations": OPERATIONS, "statements": STATEMENTS, "accesses": ACCESSES}


def level_of(points: str) -> int:
    """How much detail that is. Raises ``SimulatorError`` for points that there are not."""
    if points not in _LEVELS:
        raise SimulatorError(f"Points are {', '.join(_LEVELS)}, not {points!r}")
    return _LEVELS[points]


class Abandoned(BaseException):
    """Raised in code that is left over when a simulated run has ended."""


class Scheduler:
    """Decides who is next, and holds virtual time. One for an exploration; ``begin`` for each run."""

    def __init__(self, carriers: Carriers, points: Points = "operations", limit: int = 1_000_000) -> None:
        self.carriers = carriers
        self.points: Points = points
        self.level = level_of(points)
        #: how many operations a run may do
        self.limit = limit
        #: operating system's threads whose code takes turns
        self.idents = {get_ident()}
        #: gives the source line of a turn, where those are to be recorded
        self.place_of: Callable[[Turn], str] | None = None
        #: how runs are called
        self.path_of: Callable[[Any], str] = lambda run: run.short_name
        #: what to raise for a run in which nothing can go on, or that goes on for ever
        self.stuck: Callable[[Scheduler, str], BaseException] = lambda _, why: SimulatorError(why)
        #: the first stack: the test, or the flow that was taken in
        self.main: Stack | None = None
        #: how far time may go on although somebody could go on, where that may be chosen
        self.time_limit: Callable[[], float] | None = None
        #: where chance comes from
        self.seed = 0
        #: how many faults may strike in a run
        self.most_strikes = 0
        #: what threads that users start find around them
        self.context = Context()
        self._root = Stack(Lane("root"), "root", None)
        self._time = Turn(Lane("time"), "time")
        self.begin(None)

    def begin(self, strategy: Strategy | None) -> None:
        """Forget the last run."""
        self._choose = strategy.choose if strategy is not None else _first
        #: what the strategy raised where it should have chosen
        self.refusal: BaseException | None = None
        #: whether what was woken waits for its turn, and taking what is free is a point, at every level
        self.fine = strategy is not None and strategy.fine
        #: what the things that runs touch are called
        self.names = Names()
        #: data races, as (thing, key, one access, the other)
        self.racing: set[Hashable] = set()
        self.races: list[tuple[Hashable, Hashable, Racing, Racing]] = []
        #: keeps what each event touches, where the strategy wants to hear of it, or accesses are points
        self.recorder: Recorder | None = None
        if strategy is not None and (strategy.hears or self.level == ACCESSES):
            self.recorder = Recorder(
                strategy.hear if strategy.hears else None,
                self.names,
                RaceDetector(self._race),
                statements=self.level == STATEMENTS,
            )
        #: what waited for something that others had when the run ended, and what could have gone on
        self.blocked: list[Event] = []
        self.cut_off: list[Event] = []
        #: virtual seconds since the start
        self.now = 0.0
        #: seconds by which somebody has set the clock on the wall
        self.clock_set_by = 0.0
        self.lanes: dict[str, Lane] = {}
        self.stacks: dict[Stack, None] = {}
        self.loops: dict[SimulatedLoop, None] = {}
        self.pending: list[Turn] = []
        #: what goes on at once, without a decision
        self.eager: deque[Turn] = deque()
        #: what asks to be called again and again until something else has happened
        self.later: list[Turn] = []
        self.alarms = Alarms(self.forget)
        self.idents_given = self.threads_made = 0
        #: how many operations were no more than time that passed
        self.passes = 0
        #: how often somebody got a turn for the sake of fairness alone
        self.favours = 0
        self._fair_at = FAIRNESS
        #: how often the clock was read since so many operations were done
        self.reads = self.read_since = 0
        #: source lines that took so long that real time was counted, and what happened there in words
        self.overruns: dict[str, str] = {}
        #: how many more faults may strike, and who is where one may
        self.strikes_left = self.most_strikes
        self.at_risk: list[Stack] = []
        #: the process that everything but one stack lives in, and that stack, where there is one
        self.process: object = None
        self.parent: Stack | None = None
        self.steps: list[tuple[Lane, int | str, str, Hashable, bool, float, str]] = []
        self.made: list[tuple[str, int | str, str, int | str]] = []
        self.ending = False
        self.error: BaseException | None = None
        self._broken: BaseException | None = None
        self._chosen = True
        self.current: Stack = self._root

    # ---- lanes and stacks

    def lane(self, name: str) -> Lane:
        """The lane of that name: a retry goes on where the attempt before it stopped."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name)
        return lane

    def new_lane(self, name: str) -> Lane:
        """A lane of that name, or of the next like it where there is one."""
        if name in self.lanes:
            name = next(other for n in itertools.count(2) if (other := f"{name}~{n}") not in self.lanes)
        return self.lane(name)

    def child_lane(self) -> Lane:
        """A lane for something that the running code begins, and that has no name of its own."""
        lane = self.current.lane
        lane.children += 1
        return self.lane(f"{lane.name}/{lane.children}")

    def spawn(self, lane: Lane, job: Callable[[], object], kind: str = "start", at: float = 0.0) -> Stack:
        """Have ``job`` done on a stack of its own, from the moment ``at`` on."""
        stack = Stack(lane, kind, job)
        if at > self.now:
            self.set_alarm(at, stack)
        else:
            self.stacks[stack] = None
            self._put(stack)
        return stack

    @property
    def under_way(self) -> bool:
        """Whether code takes turns now, and the caller is not the root, which begins and ends runs."""
        return self.current is not self._root

    def run(self, lane: Lane, job: Callable[[], object]) -> None:
        """Do ``job`` as the first stack, from outside; returns when it has ended and nothing is left.

        What kept it from ending is in ``error``. Raises what a strategy raised.
        """
        around = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        self._root.carrier = self.carriers.here()
        self.main = main = Stack(lane, "start", job)
        self.stacks[main] = None
        if self.recorder is not None:
            self.recorder.begin(main)
        try:
            self._hand_over(main)
            self._stop_recording()
            self._end_all()
        finally:
            self.main = None
            asyncio._set_running_loop(around)
        if self._broken is not None:
            raise self._broken

    def adopt(self, lane: Lane) -> Stack:
        """Take in the calling code as the first stack."""
        self.main = main = Stack(lane, "start", None)
        main.carrier = self._root.carrier = self.carriers.here()
        main.running = asyncio._get_running_loop()
        self.stacks[main] = None
        self.current = main
        if self.recorder is not None:
            self.recorder.begin(main)
        return main

    def release(self) -> None:
        """Let the code that was taken in go, and end what is left over."""
        main = self.main
        if main is not None:
            self.stacks.pop(main, None)
            self.current = self._root
            self.recorder = None
            self._end_all()
            asyncio._set_running_loop(main.running)
            self.main = None

    def leave_behind(self, stack: Stack, error: BaseException) -> None:
        """End the run with ``error``, and without the running stack, which stands where nobody can reach it.

        For who watches from another thread, where each stack is one too. The stack is told to end as soon
        as it goes on, and what it does until then concerns nobody any more.
        """
        root, carrier = self._root.carrier, stack.carrier
        assert isinstance(root, ThreadCarrier)
        assert isinstance(carrier, ThreadCarrier)
        assert carrier.ident is not None
        stack.ended = True
        del self.stacks[stack]
        self.idents.discard(carrier.ident)
        raise_in(carrier.ident, Abandoned)
        self.error = error
        self.current = self._root
        root.go_on()

    # ---- what running code does

    def pause(
        self,
        kind: str,
        resource: Hashable = None,
        writes: bool = False,
        spot: str = "",
        where: Where | None = None,
    ) -> None:
        """The running code could go on, but others may come first.

        Args:
            kind: what it does next.
            resource: what that touches.
            writes: whether it changes that.
            spot: the name of the point, where that is no count.
            where: the place of an access in the source, which may race with others.
        """
        if self.ending:
            return
        stack = self.current
        lane = stack.lane
        if spot:
            visit = lane.visits[spot] = lane.visits.get(spot, 0) + 1
            stack.number = f"{spot}.{visit}"
        else:
            lane.count = stack.number = lane.count + 1
        stack.kind = kind
        stack.resource = resource
        stack.writes = writes
        stack.where = where
        if self.place_of is not None:
            stack.place = self.place_of(stack)
        loop = stack.loop
        if loop is not None:
            loop.hold()
        pending = self.pending
        if self._chosen:
            stack.goes_on = True
            pending.insert(0, stack)
        else:
            pending.append(stack)
        turn = self._next()
        if turn is not stack:
            self._hand_over(turn)
        if loop is not None:
            loop.let_go()
        if stack.raising is not None:
            self._raise(stack)

    def block(self, kind: str, waits_for: object, timeout: float | None = None) -> None:
        """The running code cannot go on before :meth:`wake` is called, or ``timeout`` seconds are over."""
        stack = self.current
        if self.ending:
            raise Abandoned
        if stack.raising is not None:
            self._raise(stack)
        stack.kind = kind
        stack.since = len(self.steps)
        stack.parked = True
        stack.waits_for = waits_for
        stack.resource = stack.where = None
        if self.place_of is not None:
            stack.place = self.place_of(stack)
        if timeout is not None:
            stack.alarm = self.set_alarm(self.now + timeout, stack)
        loop = stack.loop
        if loop is not None:
            loop.hold()
        turn = self._next()
        if turn is not stack:
            self._hand_over(turn)
        if stack.alarm is not None:
            stack.alarm.turn = None
            stack.alarm = None
        stack.waits_for = None
        if loop is not None:
            loop.let_go()
        if stack.raising is not None:
            self._raise(stack)

    def risk(self, faults: Sequence[str], *, holds: bool = False) -> str | None:
        """The running code could go on, unless one of the faults strikes before; the one that does.

        ``holds``: the code is in the middle of what nobody may interrupt; what is raised in it waits until it
        is at its next point.
        """
        if self.ending or not self.strikes_left or not faults:
            return None
        stack = self.current
        lane = stack.lane
        lane.count = stack.number = lane.count + 1
        stack.kind, stack.writes = "risk", False
        stack.resource = stack.where = None
        if self.place_of is not None:
            stack.place = self.place_of(stack)
        stack.goes_on = self._chosen
        self.pending.insert(0 if self._chosen else len(self.pending), stack)
        stack.strikes = [Strike(stack, fault) for fault in faults]
        if self.recorder is not None:
            for strike in stack.strikes:
                self.recorder.makes_possible(strike)
        self.pending.extend(stack.strikes)
        self.at_risk.append(stack)
        loop = stack.loop
        if loop is not None:
            loop.hold()
        turn = self._next()
        if turn is not stack:
            self._hand_over(turn)
        if loop is not None:
            loop.let_go()
        if stack.raising is not None and (self.ending or not holds):
            self._raise(stack)
        struck, stack.struck = stack.struck, None
        return struck

    def begin_process(self, process: object) -> None:
        """What begins from now on lives in a process; the running stack is to wait until that has ended."""
        self.process, self.parent = process, self.current
        if self.recorder is not None:
            self.recorder.process = process, self.current

    def end_process(self) -> None:
        """The process ends, here and now: nothing in it goes on, and nothing cleans up."""
        if self.ending:
            raise Abandoned
        parent, recorder = self.parent, self.recorder
        assert parent is not None
        self.touch(self.process)
        for turns in (self.pending, self.eager, self.later):
            for turn in [turn for turn in turns if type(turn) is LoopTurn and turn.loop.stack is not parent]:
                turns.remove(turn)
                if recorder is not None:
                    recorder.kills(turn)
        stack = self.current
        for other in list(self.stacks):
            if other is not parent:
                self.bury(other)
        self.alarms = Alarms(self.forget)
        self.loops = {loop: None for loop in self.loops if loop.stack is parent}
        self.process = None
        if recorder is not None:
            recorder.process = None
        self.wake(parent)
        self._hand_over(self._next())
        if stack.raising is not None:
            self._raise(stack)

    def bury(self, stack: Stack) -> None:
        """The stack never goes on, and does not clean up either: its process is gone."""
        if self.forget(stack) and self.recorder is not None:
            self.recorder.kills(stack)
        self._out_of_risk(stack)
        stack.parked = False
        if stack.alarm is not None:
            stack.alarm.turn = None
        if stack.carrier is None:
            self.stacks.pop(stack, None)
            stack.ended = True

    def wake(self, stack: Stack) -> None:
        """What the stack waits for has come. Nothing happens where it does not wait."""
        if stack.parked:
            stack.parked = False
            self._put(stack)

    def see(self, thing: object) -> None:
        """The running code has made a thing that it may give to others."""
        if self.recorder is not None:
            self.recorder.made(thing)

    def touch(self, thing: object, key: Hashable = ANYTHING, writes: bool = True, free: bool = False) -> None:
        """The running code reads or writes a thing; ``free``: one who waits for it could have had it."""
        if self.recorder is not None:
            self.recorder.touch(thing, key, writes, free)

    def park(self, stack: Stack, waits_for: object) -> None:
        """What the stack could have gone on with is gone again: let it wait."""
        if not stack.parked and self.forget(stack):
            stack.parked = True
            stack.waits_for = waits_for

    def throw(self, stack: Stack, error: BaseException) -> None:
        """Raise ``error`` in the stack when it is next at a point, or waits."""
        if not stack.ended:
            stack.raising = error
            self.wake(stack)

    def set_alarm(self, moment: float, turn: Turn) -> Alarm:
        """Let ``turn`` come at that moment of virtual time."""
        if self.recorder is not None:
            self.recorder.makes_possible(turn)
        return self.alarms.set(moment, turn)

    def let_pass(self, seconds: float) -> None:
        """The running code took that long, so that alarms may be due; others may have turns now."""
        moment = self.now + seconds
        while self._ring(moment):
            pass
        self.now = max(self.now, moment)
        self.passes += 1
        self._chosen = False  # it has had its turn
        self.pause("overrun")

    def put(self, turn: LoopTurn) -> None:
        """A callback of a loop that is free could be called."""
        kind = turn.kind
        if kind == "again":
            self.later.append(turn)
        elif kind in _VISIBLE or (kind != "callback" and (self.fine or self.level >= OPERATIONS)):
            self.pending.append(turn)
        else:
            self.eager.append(turn)

    def forget(self, turn: Turn) -> bool:
        """Let the turn not come; whether it was about to."""
        for turns in (self.pending, self.eager, self.later):
            if turn in turns:
                turns.remove(turn)
                return True
        return False

    def next_of(self, loop: "SimulatedLoop") -> LoopTurn | None:
        """For a loop that has nothing to do: let others go on until there is something for it."""
        if self.ending:  # raised in a callback already, and kept by its asyncio task
            raise Abandoned
        stack = self.current
        turn = self._next()
        if type(turn) is LoopTurn and turn.loop is loop:
            return turn
        self._hand_over(turn)
        if stack.raising is not None:
            self._raise(stack)
        todo, loop.todo = loop.todo, None
        return todo

    # ---- how turns are passed

    def _put(self, stack: Stack) -> None:
        lane = stack.lane
        lane.count = stack.number = lane.count + 1
        if self.recorder is not None:
            self.recorder.makes_possible(stack)
        if self.fine or self.level >= OPERATIONS or stack.kind in _VISIBLE:
            self.pending.append(stack)
        else:
            self.eager.append(stack)

    def _next(self) -> Turn:
        """Whose turn it is. The root's, where the run is over."""
        while not self.eager and not self.pending:
            if self._ring():
                if self.recorder is not None:
                    self.recorder.let_time_pass()
            elif self.later:
                self.eager.append(self.later.pop(0))
            else:
                return self._end("deadlock")
        self._chosen = not self.eager
        if self.eager:
            turn = self.eager.popleft()
        else:
            if self.later:
                self.eager.extend(self.later)
                self.later.clear()
            try:
                turn = self._choice()
            except BaseException as error:  # a strategy may raise anything
                self._broken = error
                return self._root
        turn.goes_on = False
        if self.place_of is not None and type(turn) is LoopTurn:
            turn.place = self.place_of(turn)
        self.steps.append(
            (turn.lane, turn.number, turn.kind, turn.resource, turn.writes, self.now, turn.place)
        )
        if len(self.steps) > self.limit and not self.ending:
            return self._end("livelock")
        return turn

    def _race(self, thing: Hashable, key: Hashable, one: Racing, other: Racing) -> None:
        places = one.where, one.writes, other.where, other.writes
        if places not in self.racing:
            self.racing.add(places)
            self.races.append((self.names.thing(thing), key, one, other))

    def _choice(self) -> Turn:
        """What the strategy chooses, where there is a choice."""
        favoured = self._favoured() if len(self.steps) >= self._fair_at else None
        pending, recorder = self.pending, self.recorder
        usual = pending[0]
        alone = len(pending) == 1
        if recorder is not None:
            loop = self.current.loop
            if alone and usual.goes_on and (loop is not None or usual.kind in _PLAIN):
                # Nobody else is there who could go on, and nothing is taken or given back that somebody waits
                # for: it is all one event.
                recorder.go_on(usual)
                return pending.pop()
            if loop is not None:
                loop.stays_taken()
            recorder.finish()
        if self.time_limit is not None and favoured is None:
            turn = self._beside_time(self.time_limit)
            pending.remove(turn)
        elif alone:
            turn = pending.pop()
        else:
            turn = favoured or self._asked(pending)
            pending.remove(turn)
            if favoured is None:
                self.made.append((turn.lane.name, turn.number, usual.lane.name, usual.number))
            usual.goes_on = False
        if recorder is not None:
            recorder.begin(turn)
        return self._after_risk(turn) if self.at_risk else turn

    def _asked(self, choices: list[Turn]) -> Turn:
        try:
            return cast("Turn", self._choose(choices))
        except BaseException as error:  # here it would be an exception of whichever code came to a point
            self.refusal, self._choose = error, _first
            return choices[0]

    def _after_risk(self, turn: Turn) -> Turn:
        """Who goes on: where a fault was chosen, the stack that it strikes."""
        if type(turn) is Strike:
            stack = turn.stack
            self.pending.remove(stack)
            stack.struck, stack.number, stack.kind = turn.fault, turn.number, "fault"
            if self.recorder is not None:
                self.recorder.makes_possible(stack)
            self._out_of_risk(stack)
            self.strikes_left -= 1
            if not self.strikes_left:
                for other in list(self.at_risk):
                    self._out_of_risk(other)
            return stack
        if type(turn) is Stack:
            self._out_of_risk(turn)
        return turn

    def _out_of_risk(self, stack: Stack) -> None:
        if stack.strikes is not None:
            self.at_risk.remove(stack)
            for strike in stack.strikes:
                if strike in self.pending:
                    self.pending.remove(strike)
            stack.strikes = None

    def _beside_time(self, limit: Callable[[], float]) -> Turn:
        """What the strategy chooses where time that goes on to the next alarm is the last in line."""
        pending, time = self.pending, self._time
        while True:
            usual = pending[0]
            moment = self.alarms.next()
            choices = pending
            if moment is not None and moment <= limit():
                time.number = f"{moment:.6f}"  # the same one, whatever else was chosen before
                choices = [*pending, time]
            elif len(pending) == 1:
                return usual
            turn = self._asked(choices)
            self.made.append((turn.lane.name, turn.number, usual.lane.name, usual.number))
            usual.goes_on = False
            if turn is not time:
                return turn
            self._ring()
            if self.recorder is not None:
                self.recorder.let_time_pass()
            self.steps.append((time.lane, time.number, time.kind, None, False, self.now, ""))

    def _favoured(self) -> Turn | None:
        """Who is to have a turn because others had all of them lately; None where nobody was passed over."""
        self._fair_at = len(self.steps) + FAIRNESS
        recent = self.steps[-FAIRNESS:]
        if recent[0][5] == self.now and self._ring() and self.recorder is not None:
            self.recorder.let_time_pass()
        moved = {lane for lane, *_ in recent}
        turn = next((turn for turn in self.pending if turn.lane not in moved), None)
        self.favours += turn is not None
        return turn

    def _ring(self, by: float = inf) -> bool:
        """Jump to the next alarm; False where none is set for a moment until ``by``."""
        rung = self.alarms.ring(by)
        if rung is None:
            return False
        moment, due = rung
        for turn in due:
            self._due(turn)
        self.now = max(self.now, moment)
        return True

    def _due(self, turn: Turn) -> None:
        if type(turn) is LoopTurn:
            turn.loop.add(turn)
            return
        assert isinstance(turn, Stack)
        if turn.carrier is None and not turn.parked:  # a call that was asked for: it begins now
            self.stacks[turn] = None
        elif not turn.parked:
            return
        turn.parked = False
        lane = turn.lane
        lane.count = turn.number = lane.count + 1
        self.pending.append(turn)

    def _end(self, why: str) -> Turn:
        """The run is over: the root is next, or the first stack, with an error, where that was taken in."""
        if self.error is None:
            self.error = self.stuck(self, why)
        main = self.main
        if main is None or main.carrier is not self._root.carrier:
            return self._root
        self.forget(main)
        main.parked = False
        main.raising = self.error
        return main

    def _hand_over(self, turn: Turn) -> None:
        """Switch to whose turn it is; returns when it is the caller's again."""
        self._prepare(turn).switch()

    def _prepare(self, turn: Turn) -> Carrier:
        if type(turn) is LoopTurn:
            target = turn.loop.stack
            turn.loop.todo = turn
        else:
            target = turn
        assert type(target) is Stack
        self.current = target
        if self.carriers.one_thread:
            asyncio._set_running_loop(target.running)
        carrier = target.carrier
        if carrier is None:
            carrier = target.carrier = self.carriers.take(lambda: self._live(target))
        return carrier

    def _live(self, stack: Stack) -> Carrier | None:
        """All that a stack does; returns where to go on, None where it was left behind."""
        self.idents.add(get_ident())
        try:
            if stack.raising is not None:
                self._raise(stack)
            assert stack.job is not None
            stack.job()
        except Abandoned:
            pass
        except BaseException as error:  # jobs catch what users raise
            if not stack.ended:
                self._broken = self._broken or error
                self.ending = True
        if stack.ended:
            return None
        stack.ended = True
        del self.stacks[stack]
        if self.ending or stack is self.main:
            self.current = self._root
            carrier = self._root.carrier
            assert carrier is not None
            return carrier
        return self._prepare(self._next())

    def _stop_recording(self) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None and self._broken is None:
            main = self.main
            ends = main is not None and main.ended
            try:
                recorder.finish(ends=ends)
            except BaseException as error:  # a strategy may raise anything
                self._broken = error
                return
            held = [turn for loop in self.loops for turn in loop.held]
            self.blocked = [recorder.left(turn) for turn in (*filter(is_blocked, self.stacks), *held)]
            self.cut_off = [recorder.left(turn) for turn in self.pending] if ends else []

    def _end_all(self) -> None:
        """End what is left over: nothing that was to come comes any more, except what cleans up."""
        self.ending = True
        self.alarms = Alarms(self.forget)
        for turns in (self.pending, self.eager, self.later):
            turns.clear()
        while self.stacks:
            self._abandon(next(iter(self.stacks)))

    def _abandon(self, stack: Stack) -> None:
        if stack.carrier is None:
            del self.stacks[stack]
            stack.ended = True
            return
        stack.raising = Abandoned()
        self._hand_over(stack)
        if not stack.ended:
            raise SimulatorError(
                f"{stack.home.name} cannot be ended: it holds on to an exception that it must not"
            )

    def _raise(self, stack: Stack) -> None:
        error, stack.raising = stack.raising, None
        assert error is not None
        raise error


def _first(pending: "list[Turn]") -> Operation:
    return pending[0]


#: operations after which somebody who was passed over gets a turn
FAIRNESS = 10_000

#: What can be seen at every level of detail, where it comes after a wait.
_VISIBLE = frozenset({"acquire", "alarm", "sleep", "step"})
#: What takes nothing and gives nothing back.
_PLAIN = frozenset({"read", "write"})
