"""Turns: what could be done next, whose it is, and the record of what was done."""

import asyncio
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from simulators.partial_order import Where
from simulators.stacks import Carrier

if TYPE_CHECKING:
    from simulators.alarms import Alarm
    from simulators.loops import SimulatedLoop


class Lane:
    """A run, or a thread, as decisions and reports name it."""

    __slots__ = ("children", "count", "name", "random", "visits")

    def __init__(self, name: str) -> None:
        self.name = name
        #: how many points it came to
        self.count = 0
        #: how many threads and asyncio tasks without a run of their own it began
        self.children = 0
        #: how often it came to each source line
        self.visits: dict[str, int] = {}
        #: where its chance comes from, once it has asked for some
        self.random: Any = None


class Turn:
    """Something that could be done next."""

    __slots__ = ("awaited", "causes", "goes_on", "kind", "lane", "number", "place", "resource", "writes")

    def __init__(self, lane: Lane, kind: str) -> None:
        self.lane = lane
        #: what it cannot come without having: a lock, a loop
        self.awaited: object = None
        #: positions of the events that made it possible, where those are recorded
        self.causes: tuple[int, ...] = ()
        #: the source line, where those are recorded
        self.place = ""
        self.kind = kind
        #: the name of the point: a count, or a source line and a visit
        self.number: int | str = 0
        self.resource: Hashable = None
        self.writes = False
        self.goes_on = False

    @property
    def run(self) -> str:
        """Who."""
        return self.lane.name

    @property
    def process(self) -> str:
        """What comes after what it did before."""
        return self.lane.name

    @property
    def point(self) -> str:
        """Where."""
        return str(self.number)

    def __repr__(self) -> str:
        return f"<{self.run}@{self.point} {self.kind}>"


class Stack(Turn):
    """Code that takes turns with other code."""

    __slots__ = (
        "alarm",
        "at_mercy_of",
        "carrier",
        "ended",
        "guards",
        "home",
        "ident",
        "job",
        "loop",
        "parked",
        "raising",
        "running",
        "since",
        "strikes",
        "struck",
        "thread",
        "waits_for",
        "where",
    )

    def __init__(self, lane: Lane, kind: str, job: Callable[[], object] | None) -> None:
        super().__init__(lane, kind)
        self.job = job
        self.carrier: Carrier | None = None
        #: the lane of its thread; an event loop lends its stack to the lanes of asyncio tasks
        self.home = lane
        #: the event loop whose turns are taken on it
        self.loop: SimulatedLoop | None = None
        #: what ``asyncio.get_running_loop()`` gives there
        self.running: asyncio.AbstractEventLoop | None = None
        #: the number of operations that were done when it began to wait
        self.since = 0
        #: whether it waits for something
        self.parked = False
        #: what it waits for, and how that reads
        self.waits_for: object = None
        self.alarm: Alarm | None = None
        #: where in the source it reads or writes something next, if it does
        self.where: Where | None = None
        #: raised in it when it goes on
        self.raising: BaseException | None = None
        self.ended = False
        #: what others may interrupt it through, the innermost last
        self.guards: tuple[object, ...] = ()
        #: the worker that it ends with
        self.at_mercy_of: object = None
        #: what may strike before it goes on, and what did
        self.strikes: list[Strike] | None = None
        self.struck: str | None = None
        #: what ``threading.get_ident()`` is there
        self.ident = 0
        #: what ``threading.current_thread()`` is there
        self.thread: Any = None


class Strike(Turn):
    """A fault that may strike where a stack is about to go on, before it does."""

    __slots__ = ("fault", "stack")

    def __init__(self, stack: Stack, fault: str) -> None:
        super().__init__(stack.lane, "fault")
        self.stack = stack
        self.fault = fault
        self.number = f"{stack.number}!{fault}"
        #: where it may strike: the same for all that may strike there, of which one does at most
        self.resource = "risk", stack.lane.name, stack.number

    @property
    def process(self) -> str:
        """Not that of the stack, since it comes in the place of what that would do."""
        return f"{self.lane.name}@{self.number}"


class LoopTurn(Turn):
    """A callback on an event loop: one step of an asyncio task, or something else to call."""

    __slots__ = ("args", "callback", "context", "loop")

    def __init__(
        self, lane: Lane, kind: str, loop: "SimulatedLoop", callback: Any, args: Any, context: Any
    ) -> None:
        # Spelled out, since one is made for each step of each asyncio task.
        self.lane = lane
        self.kind = kind
        self.number = 0
        self.awaited = loop
        self.causes = ()
        self.resource = None
        self.writes = False
        self.goes_on = False
        self.place = ""
        self.loop = loop
        self.callback = callback
        self.args = args
        self.context = context

    @property
    def process(self) -> str:
        """The asyncio task; a callback stands for itself."""
        if isinstance(getattr(self.callback, "__self__", None), asyncio.Task):
            return self.lane.name
        return f"{self.lane.name}@{self.number}"

    def cancel(self) -> None:
        """Never call it."""
        if self.callback is not None:
            self.callback = None
            self.loop.drop(self)

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None


class Record:
    """One operation that was done."""

    __slots__ = ("kind", "moment", "place", "point", "resource", "run", "writes")

    def __init__(
        self, run: str, point: str, kind: str, resource: Hashable, writes: bool, moment: float, place: str
    ) -> None:
        self.run = run
        self.point = point
        self.kind = kind
        self.resource = resource
        self.writes = writes
        #: virtual seconds since the start
        self.moment = moment
        #: source line, where the run was recorded in detail
        self.place = place

    def __repr__(self) -> str:
        return f"<{self.run}@{self.point} {self.kind} {self.resource or ''}>"
