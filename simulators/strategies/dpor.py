"""DPOR: one schedule of each kind; those that differ in the order of what is independent are of one kind."""

from collections.abc import Sequence

from simulators.exceptions import SimulatorError
from simulators.partial_order import TIME, Branch, Event, Order, Race, Reversal, dependent, insert
from simulators.strategies.base import Operation, Strategy, Trace


class _Node:
    """What is known of the place before an event."""

    __slots__ = ("asleep", "branches", "known")

    def __init__(self, asleep: dict[str, tuple[Event, int]], branches: list[Branch], known: int) -> None:
        #: processes that need not go on from here, with what they would do, until something depends on that;
        #: and how many things had been seen where that was found out
        self.asleep = asleep
        #: what is still to be tried here
        self.branches = branches
        #: how many things had been seen
        self.known = known


class DPOR(Strategy):
    """Runs exactly one execution for each Mazurkiewicz trace.

    Optimal dynamic partial-order reduction: *Abdulla, Aronis, Jonsson and Sagonas, Source Sets: A Foundation
    for Optimal Dynamic Partial Order Reduction, JACM 64(4), 2017, section 6*. After each execution, every two
    events in it that race are turned round: what leads to the second one without the first becomes a branch
    at the place before the first, unless an execution that was made or is planned has that order too.

    What it keeps are the places of one execution, and for each what is still to be tried there.
    """

    name = "dpor"
    strikes = True
    hears = True
    fine = True

    def __init__(self) -> None:
        self.exhausts = True
        #: executions that could have been spared: none, where all that runs touch is known
        self.redundant = 0
        self._order = Order()
        self._path = [_Node({}, [], 0)]
        self._begun = False

    def begin(self) -> bool:
        """Go back to the last place where something is left to try; False where there is none."""
        if self._begun:
            while len(self._path) > 1 and not self._path[-2].branches:
                self._path.pop()
            if len(self._path) == 1:
                return False
            self._path.pop()
            node = self._path[-1]
            done = self._order.events[len(self._path) - 1]
            node.asleep[done.process] = done, node.known
        self._begun = True
        self._depth = 0
        self._again = [event.process for event in self._order.events[: len(self._path) - 1]]
        self._order.cut(len(self._path) - 1)
        self._spoilt = False
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What was done here before; what a branch says; what is not asleep."""
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
        if depth < len(self._again):
            if event.process != self._again[depth]:
                raise self._not_deterministic(self._again[depth], event.process)
            return
        node = self._path[-1]
        branches: list[Branch] = []
        if node.branches:
            branch = node.branches.pop(0)
            if branch.event.process == event.process:
                branches = branch.branches
            else:  # it waited for something that nobody knows of
                self.exhausts = False
        for fault in event.instead:
            if fault.process not in node.asleep and all(
                b.event.process != fault.process for b in node.branches
            ):
                node.branches.append(Branch(fault))
        self._spoilt = self._spoilt or event.process in node.asleep
        self._order.add(event)
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
        for event, known in node.asleep.values():
            if reversal.may_begin_with(event, known):
                return
        insert(node.branches, reversal, node.known)

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
