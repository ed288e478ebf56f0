"""A small machine for concurrent programs, and an oracle that counts the kinds of their executions.

A program is a generator for each process; it yields operations, such as ``("read", "x")``, and is sent their
results. The oracle tries every interleaving and puts each into Foata normal form; it shares no code with
the search that it judges.
"""

from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulators.partial_order import Access, Event
from simulators.strategies import Strategy

Operation = tuple[Any, ...]
Process = Generator[Operation, Any, None]
Program = dict[str, Callable[[], Process]]


@dataclass
class Done:
    """What one operation did."""

    process: str
    operation: Operation
    #: what it touched: thing, whether it wrote, whether the thing could be had before
    touched: list[tuple[Hashable, bool, bool]]
    causes: list[int]
    result: Any = None


@dataclass
class Pending:
    """An operation as strategies see it."""

    run: str
    point: str
    kind: str = "access"
    resource: Any = None
    writes: bool = False
    goes_on: bool = False

    @property
    def process(self) -> str:
        return self.run


@dataclass
class Machine:
    """One execution."""

    program: Program
    values: dict[Hashable, Any] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processes: dict[str, Process] = {}
        self.next: dict[str, Operation] = {}
        self.made_possible: dict[str, list[int]] = {}
        self.ends: dict[str, int] = {}
        self.waiting: dict[Hashable, list[str]] = {}
        self.notified: set[str] = set()
        for name, start in self.program.items():
            self._begin(name, start(), [])

    def _begin(self, name: str, process: Process, causes: list[int]) -> None:
        self.processes[name] = process
        self.made_possible[name] = causes
        self.ends[name] = -1
        self._advance(name, None)

    def _advance(self, name: str, result: Any) -> None:
        try:
            self.next[name] = self.processes[name].send(result)
        except StopIteration:
            self.next.pop(name, None)
            self.ends[name] = len(self.done) - 1

    def enabled(self) -> list[str]:
        return [name for name in self.next if self._can(name)]

    def _can(self, name: str) -> bool:
        operation, thing, *_ = self.next[name]
        match operation:
            case "lock":
                return not self.values.get(thing)
            case "down":
                return self.values.get(thing, 0) > 0
            case "get":
                return bool(self.values.get(thing))
            case "await":
                return bool(self.values.get(thing))
            case "join":
                return thing not in self.next
            case "wake":
                return name in self.notified
            case _:
                return True

    def step(self, name: str) -> Done:  # noqa: C901 - one case for each operation
        """Let the process do its next operation."""
        operation, thing, *rest = self.next[name]
        values = self.values
        done = Done(name, self.next[name], [], self.made_possible.pop(name, []))
        index = len(self.done)
        free = not values.get(thing)
        match operation:
            case "read":
                done.result = values.get(thing, 0)
                done.touched = [(thing, False, False)]
            case "write":
                values[thing] = rest[0] if rest else name
                done.touched = [(thing, True, False)]
            case "swap":  # if it is what it should be, put another value there
                done.result = values.get(thing, 0) == rest[0]
                if done.result:
                    values[thing] = rest[1]
                done.touched = [(thing, True, False)]
            case "lock" | "unlock" | "try":
                done.result = free
                values[thing] = operation != "unlock"
                done.touched = [(thing, True, free)]
            case "down" | "up":
                count = values.get(thing, 0)
                values[thing] = count + (1 if operation == "up" else -1)
                done.touched = [(thing, True, count > 0)]
            case "put" | "get":
                queue = values.setdefault(thing, [])
                done.touched = [(thing, True, bool(queue))]
                if operation == "put":
                    queue.append(rest[0])
                else:
                    done.result = queue.pop(0)
            case "await" | "set" | "clear":
                done.touched = [(thing, operation != "await", bool(values.get(thing)))]
                if operation != "await":
                    values[thing] = operation == "set"
            case "spawn":
                pass
            case "join":
                done.causes = [*done.causes, self.ends[thing]]
            case "wait":  # for a condition: give its lock back, and wait to be notified
                values[rest[0]] = False
                self.waiting.setdefault(thing, []).append(name)
                done.touched = [(thing, True, False), (rest[0], True, False)]
            case "wake":
                self.notified.remove(name)
            case "notify":
                for waiting in self.waiting.get(thing, [])[: rest[0]]:
                    self.waiting[thing].remove(waiting)
                    self.notified.add(waiting)
                    self.made_possible[waiting] = [index]
                done.touched = [(thing, True, False)]
            case _:
                raise ValueError(operation)
        self.done.append(done)
        if operation == "spawn":
            self._begin(thing, rest[0](), [index])
        self._advance(name, done.result)
        return done


#: Operations that can only be done while their thing can be had.
_WAITING = {"lock", "down", "get", "await"}


@dataclass
class Search:
    """What a strategy made of a program."""

    executions: int = 0
    kinds: set[Hashable] = field(default_factory=set)
    outcomes: set[Hashable] = field(default_factory=set)
    deepest: int = 0


def search(program: Program, strategy: Strategy, values: dict[Hashable, Any] | None = None) -> Search:
    """Run the program under every schedule that the strategy gives."""
    found = Search()
    while strategy.begin():
        machine = Machine(program, _copied(values))
        last = ""
        while names := machine.enabled():
            if last in names:
                names.remove(last)
                names.insert(0, last)
            chosen = names[0]
            if len(names) > 1:
                points = {name: str(sum(d.process == name for d in machine.done)) for name in names}
                pending = [Pending(name, points[name], goes_on=name == last) for name in names]
                chosen = strategy.choose(pending).run
            strategy.hear(_event(machine, machine.step(chosen)), 0)
            last = chosen
        blocked = [
            _waiting(name, operation) for name, operation in machine.next.items() if operation[0] in _WAITING
        ]
        strategy.end(Ended(blocked))
        found.executions += 1
        found.kinds.add(foata(machine.done))
        found.outcomes.add(repr(sorted(machine.values.items(), key=repr)))
        found.deepest = max(found.deepest, len(machine.done))
    return found


@dataclass
class Ended:
    blocked: list[Event]
    cut_off: tuple[Event, ...] = ()
    steps: tuple[Any, ...] = ()
    length: int = 0
    failed: bool = False


def _event(machine: Machine, done: Done) -> Event:
    return Event(
        done.process,
        [Access(_named(thing), writes=writes, free=free) for thing, writes, free in done.touched],
        causes=[cause for cause in done.causes if cause >= 0],
        waits_for=_named(done.operation[1]) if done.operation[0] in _WAITING else None,
    )


def interleavings(program: Program, values: dict[Hashable, Any] | None = None) -> Iterator[Machine]:
    """All executions, each interleaving once."""
    choices: list[list[int]] = []
    while True:
        machine = Machine(program, _copied(values))
        depth = 0
        while names := machine.enabled():
            if depth == len(choices):
                choices.append([0, len(names)])
            machine.step(names[choices[depth][0]])
            depth += 1
        yield machine
        while choices and choices[-1][0] + 1 == choices[-1][1]:
            choices.pop()
        if not choices:
            return
        choices[-1][0] += 1


def foata(done: list[Done]) -> Hashable:
    """The normal form: as many steps as there must be, each with all that can be done then."""
    levels: list[int] = []
    counts: dict[str, int] = {}
    form: list[set[Hashable]] = []
    for position, event in enumerate(done):
        counts[event.process] = number = counts.get(event.process, 0) + 1
        level = 1 + max((levels[i] for i in range(position) if _depends(done, i, position)), default=-1)
        levels.append(level)
        if level == len(form):
            form.append(set())
        form[level].add((event.process, number, event.operation[0], event.operation[1], repr(event.result)))
    return tuple(frozenset(step) for step in form)


def _depends(done: list[Done], earlier: int, later: int) -> bool:
    one, other = done[earlier], done[later]
    if one.process == other.process or earlier in other.causes:
        return True
    return any(
        thing == other_thing and (writes or other_writes)
        for thing, writes, _ in one.touched
        for other_thing, other_writes, _ in other.touched
    )


def kinds(program: Program, values: dict[Hashable, Any] | None = None) -> set[Hashable]:
    """The Mazurkiewicz traces of a program, by trying everything."""
    return {foata(machine.done) for machine in interleavings(program, values)}


def _copied(values: dict[Hashable, Any] | None) -> dict[Hashable, Any]:
    return {key: list(value) if isinstance(value, list) else value for key, value in (values or {}).items()}


def _waiting(name: str, operation: Operation) -> Event:
    thing = _named(operation[1])
    return Event(name, [Access(thing, writes=operation[0] != "await")], waits_for=thing)


def _named(thing: Hashable) -> Hashable:
    # A number would be an object whose name holds for one execution only.
    return ("named", thing)
