"""DPOR: one schedule of each kind; those that differ in the order of what is independent are of one kind."""

from collections.abc import Sequence
from math import inf
from operator import le, sub

from simulators.exceptions import SimulatorError
from simulators.partial_order import TIME, Branch, Event, Order, Race, Reversal, dependent, insert, prune
from simulators.strategies.base import Operation, Strategy, Trace

#: preemptions and delays, or what is left of them
_Price = tuple[float, ...]
_NOTHING: _Price = (0, 0)


class _Node:
    """What is known of the place before an event."""

    __slots__ = ("asleep", "branches", "firsts", "known", "left", "prices")

    def __init__(self, asleep: dict[str, tuple[Event, int]], branches: list[Branch], known: int) -> None:
        #: processes that need not go on from here, with what they would do, until something depends on that;
        #: and how many things had got numbers where that was found out
        self.asleep = asleep
        #: what is still to be tried here
        self.branches = branches
        #: how many things had got numbers
        self.known = known
        #: by process, what it does when it goes on from here, where that was seen, if not known further up
        self.firsts: dict[str, Event] = {}
        #: what may still be paid after it, and what each process would cost there
        self.left: _Price = _NOTHING
        self.prices: dict[str, _Price] = {}


class DPOR(Strategy):
    """Runs exactly one execution for each Mazurkiewicz trace.

    Optimal dynamic partial-order reduction: *Abdulla, Aronis, Jonsson and Sagonas, Source Sets: A Foundation
    for Optimal Dynamic Partial Order Reduction, JACM 64(4), 2017, section 6*. After each execution, every two
    events in it that race are turned round: what leads to the second one without the first becomes a branch
    at the place before the first, unless an execution that was made or is planned has that order too.

    What it keeps are the places of one execution, and for each what is still to be tried there.

    Bounds leave out executions that preempt a run more often, or pass over more runs, than they say (see
    ``Exhaustive``); the others are those of the whole search. A trace is left out even if another order of
    its steps would keep the bound: to find that one too takes executions that the whole search does not make
    (Coons, Musuvathi and McKinley, OOPSLA 2013).
    """

    name = "dpor"
    exhaustive = True
    strikes = True
    hears = True
    fine = True

    def __init__(self, preemptions: int | None = None, delays: int | None = None) -> None:
        for bound, value in (("preemptions", preemptions), ("delays", delays)):
            if value is not None and value < 0:
                raise ValueError(f"{bound} must be 0 or more, or None, not {value}")
        self._bounds: dict[str, int | None] = {"preemptions": preemptions, "delays": delays}
        self._purse: _Price = tuple(inf if bound is None else bound for bound in self._bounds.values())
        self._bounded = any(bound is not None for bound in self._bounds.values())
        self.exhausts = True
        #: why the schedules were not all
        self.cut = ""
        #: executions that could have been spared: none, where all that runs touch is known
        self.redundant = 0
        self._order = Order()
        self._path = [_Node({}, [], 0)]
        self._begun = False

    @property
    def bounds(self) -> dict[str, float]:
        """Its bounds, those that it has."""
        return {name: bound for name, bound in self._bounds.items() if bound is not None}

    def begin(self) -> bool:
        """Go back to the last place where something is left to try; False where there is none."""
        if self._begun and not self._go_back():
            return False
        self._begun = True
        self._depth = 0
        self._left = self._purse
        self._prices: dict[str, _Price] = {}
        self._again = [event.process for event in self._order.events[: len(self._path) - 1]]
        self._order.cut(len(self._path) - 1)
        self._spoilt = False
        return True

    def _go_back(self) -> bool:
        while len(self._path) > 1:
            self._path.pop()
            node = self._path[-1]
            if node.branches:
                done = self._order.events[len(self._path) - 1]
                node.asleep[done.process] = done, node.known
                prune(node.branches, done, node.known)
                if node.branches:
                    return True
        return False

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What was done here before; what a branch says; what is not asleep."""
        chosen = self._usual(pending)
        if not self._bounded:
            return chosen
        preempts = pending[0].goes_on
        self._prices = {
            operation.process: (preempts and index > 0, index) for index, operation in enumerate(pending)
        }
        if not _affords(self._left, self._prices[chosen.process]):
            self._leave_out("a bound of the strategy cut schedules off")
            return pending[0]
        return chosen

    def _usual(self, pending: Sequence[Operation]) -> Operation:
        if self._depth < len(self._again):
            return self._find(pending, self._again[self._depth])
        node = self._path[-1]
        if node.branches:
            process = node.branches[0].event.process
            for operation in pending:
                if operation.process == process:
                    return operation
        for operation in pending:
            if operation.process not in node.asleep:
                return operation
        return pending[0]

    def hear(self, event: Event, known: int) -> None:
        """Keep the event in mind, and who is asleep after it."""
        depth, self._depth = self._depth, self._depth + 1
        left = self._left
        if self._prices:
            price = self._prices.get(event.process, _NOTHING)
            self._left = tuple(map(sub, left, price))
        prices, self._prices = self._prices, {}
        if depth < len(self._again):
            if event.process != self._again[depth]:
                raise self._not_deterministic(self._again[depth], event.process)
            if known != self._path[depth + 1].known:  # so what was seen has other names than before
                self._leave_out("the same steps saw other things when they were made again")
            return
        node = self._path[-1]
        node.left, node.prices = left, prices
        branches: list[Branch] = []
        if node.branches:
            branch = node.branches.pop(0)
            if branch.event.process == event.process:
                branches = branch.branches
            else:
                self._leave_out("a step could not be made: something depends on what nobody recorded")
        for fault in event.instead:
            if fault.process not in node.asleep and all(
                b.event.process != fault.process for b in node.branches
            ):
                node.branches.append(Branch(fault))
        self._spoilt = self._spoilt or event.process in node.asleep
        self._order.add(event)
        self._path[self._order.past[-1].bit_length()].firsts[event.process] = event
        asleep = {
            process: (other, since)
            for process, (other, since) in node.asleep.items()
            if process != event.process and not dependent(other, event, since)
        }
        self._path.append(_Node(asleep, branches, known))

    def end(self, trace: Trace) -> None:
        """Turn the races round."""
        self.redundant += self._spoilt
        order = self._order
        for races in order.races:
            for race in races:
                self._turn_round(race)
        for event in trace.blocked:
            for race in order.placed(event)[1]:
                self._turn_round(race)
        last = len(order) - 1
        if last >= 0 and order.events[last].ends:
            for event in trace.cut_off:
                self._turn_round(Race(last, event, 0))

    def _turn_round(self, race: Race) -> None:
        if self._order.events[race.first].process == TIME:
            return  # time passes where nothing else can happen, so nothing can come before that
        node = self._path[race.first]
        reversal = Reversal(self._order, race)
        if len(race.second.accesses) > 1:
            self._foresee(reversal, race)
        for event, known in node.asleep.values():
            if reversal.may_begin_with(event, known):
                return
        if not _affords(node.left, node.prices.get(reversal.events[0].process, _NOTHING)):
            self._leave_out("a bound of the strategy cut schedules off")
            return
        insert(node.branches, reversal, node.known)

    def _foresee(self, reversal: Reversal, race: Race) -> None:
        """Have the reversal end with what its last process does without the first event, if that was seen."""
        process, events = race.second.process, self._order.events
        for position in range(race.first, -1, -1):
            node = self._path[position]
            event = node.firsts.get(process)
            if event is not None:
                between = events[position : race.first]
                if not any(dependent(event, other, node.known) for other in between):
                    reversal.foresee(event, node.known)
                return
            if position and events[position - 1].process == process:
                return

    def _leave_out(self, why: str) -> None:
        self.exhausts = False
        self.cut = self.cut or why

    def _find(self, pending: Sequence[Operation], process: str) -> Operation:
        for operation in pending:
            if operation.process == process:
                return operation
        raise self._not_deterministic(process, ", ".join(operation.process for operation in pending))

    def _not_deterministic(self, expected: str, found: str) -> SimulatorError:
        return SimulatorError(
            f"The run is not deterministic, or something in it depends on what nobody knows of: after "
            f"{self._depth} operations {expected} should go on, and could not; there was {found}"
        )


def _affords(left: _Price, price: _Price) -> bool:
    return all(map(le, price, left))
