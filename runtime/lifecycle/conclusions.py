"""What the states of many runs amount to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runtime.states import Cancelled, Completed, Failed, State


@dataclass(slots=True)
class Tally:
    """How many runs ended how. Keeps the states of those that did not complete, and no others."""

    total: int = 0
    failed: int = 0
    cancelled: int = 0
    unfinished: int = 0
    troubles: list[State] = field(default_factory=list[State])

    @classmethod
    def of(cls, states: Iterable[State]) -> "Tally":
        """The tally of some states."""
        tally = cls()
        for state in states:
            tally.add(state)
        return tally

    def add(self, state: State) -> None:
        """Count one more run."""
        self.total += 1
        if state.is_completed():
            return
        self.troubles.append(state)
        if state.is_cancelled():
            self.cancelled += 1
        elif state.is_final():
            self.failed += 1
        else:
            self.unfinished += 1

    def conclude(self, data: Any = None) -> State:
        """The one state that all of them amount to, with ``data``.

        Without any, the states of the troubled runs go with it, so that ``result()`` raises what went
        wrong first.
        """
        if not self.troubles:
            return Completed("All states completed." if self.total else None, data=data)
        data = self.troubles if data is None else data
        if self.cancelled:
            return Cancelled(f"{self.cancelled}/{self.total} states cancelled.", data=data)
        if self.failed:
            return Failed(f"{self.failed}/{self.total} states failed.", data=data)
        return Failed(f"{self.unfinished}/{self.total} states are not final.", data=data)
