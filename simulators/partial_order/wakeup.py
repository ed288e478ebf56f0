"""Wakeup trees: the beginnings of executions that are still to be made.

*Abdulla, Aronis, Jonsson and Sagonas, Source Sets, JACM 64(4), 2017, section 4.*
"""

from simulators.partial_order.events import Event, dependent
from simulators.partial_order.order import Order, Race


class Branch:
    """One event, and the branches of what is to come after it; where there are none, whatever comes."""

    __slots__ = ("branches", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.branches: list[Branch] = []


class Reversal:
    """The events of an execution that do not depend on the first one of a race, and then the second one."""

    __slots__ = ("_bits", "_left", "_pasts", "events")

    def __init__(self, order: Order, race: Race) -> None:
        positions = list(order.after(race.first))
        self.events = [order.events[position] for position in positions]
        self.events.append(race.second)
        self._pasts = [order.past[position] for position in positions]
        self._pasts.append(race.past)
        self._bits = [1 << position for position in positions]
        self._bits.append(1 << len(order))
        self._left = sum(self._bits)

    def may_begin_with(self, event: Event, known: int) -> bool:
        """Whether it could as well begin with that event of another execution (a weak initial).

        The process may have done less here than there, where it found a lock taken. What it does when it
        comes first is what counts then.
        """
        index = self._index(event.process)
        if index is not None and self._pasts[index] & self._left:
            return False
        return not any(dependent(event, other, known) for other in self.events[:index])

    def foresee(self, event: Event, known: int) -> None:
        """Let the last process do what it is known to do at the beginning, if it still does that at the end.

        What it did after the first event of the race may be another thing than what it does without.
        """
        last = len(self.events) - 1
        if self._index(event.process) == last and not any(
            dependent(event, other, known) for other in self.events[:last]
        ):
            self.events[last] = event
            self._pasts[last] = 0

    def drop(self, process: str) -> None:
        """Leave out the first event of that process."""
        index = self._index(process)
        if index is not None:
            self._left &= ~self._bits[index]
            del self.events[index], self._pasts[index], self._bits[index]

    def _index(self, process: str) -> int | None:
        return next((i for i, event in enumerate(self.events) if event.process == process), None)


def insert(branches: list[Branch], reversal: Reversal, known: int) -> bool:
    """Grow a tree so that it leads to the reversal; False where it does already. The reversal is used up."""
    while reversal.events:
        for branch in branches:
            if reversal.may_begin_with(branch.event, known):
                break
        else:
            break
        if not branch.branches:
            return False
        reversal.drop(branch.event.process)
        branches = branch.branches
    if not reversal.events:
        return False
    for event in reversal.events:
        branch = Branch(event)
        branches.append(branch)
        branches = branch.branches
    return True


def prune(branches: list[Branch], event: Event, known: int) -> None:
    """Take out of a tree what ends with an event that could as well begin it, and was tried as that."""
    branches[:] = [branch for branch in branches if not _is_tried(branch, event, known)]


def _is_tried(branch: Branch, event: Event, known: int) -> bool:
    if branch.event.process == event.process:
        return not branch.branches
    if not branch.branches or dependent(branch.event, event, known):
        return False
    prune(branch.branches, event, known)
    return not branch.branches
