"""The story of a failure: what all reports tell, each in its own way."""

import linecache
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from runtime.history import FlowRunHistory
from simulators.schedules import Decision, Schedule

#: pieces of code without points, and lines outside of control, that are told one by one
MOST_LEFT_OUT = 10


class Step(Protocol):
    """One operation that was done."""

    run: str
    point: str
    kind: str
    resource: Hashable
    #: virtual seconds since the start
    moment: float
    #: ``file:line`` of the user's code, "" where that is not known
    place: str


@dataclass(frozen=True)
class Event:
    """One step, as reports show it."""

    number: int
    run: str
    moment: float
    #: what was done, in words
    action: str
    #: the source line itself, "" where there is none
    code: str
    #: ``orders.py:12``
    where: str
    #: whether the decision that led here was not what fifo would have decided
    decisive: bool


@dataclass(frozen=True)
class Story:
    """A failure, with the simplest schedule that shows it."""

    #: what was tested
    test: str
    error: BaseException
    #: the schedule with the fewest decisions of its own
    schedule: Schedule
    #: what was done under it
    steps: Sequence[Step]
    histories: Sequence[FlowRunHistory]
    #: how many schedules it took to find, and who decided the one that was found
    tried: int
    strategy: str
    #: one line that replays it
    command: str
    #: the number of decisions of its own that the schedule had when it was found
    deviations_found: int = 0
    #: source files are shown relative to this folder
    root: Path = field(default_factory=Path.cwd)
    #: what the simulation could not look into, line by line
    left_out: Sequence[str] = ()
    #: the data races that this schedule shows
    races: Sequence[str] = ()

    @cached_property
    def headline(self) -> str:
        """What failed, when, and how."""
        schedules = "the first schedule" if self.tried == 1 else f"{self.tried} schedules"
        return f"{self.test} failed after {schedules} ({self.strategy}, seed {self.schedule.seed})"

    @cached_property
    def problem(self) -> str:
        """The error, as its class and message."""
        kind = type(self.error).__name__
        message = str(self.error)
        return f"{kind}: {message}" if message else kind

    @cached_property
    def verdict(self) -> str:
        """Which decision flips the result."""
        deviations = self.schedule.deviations
        if not deviations:
            when = "in the usual order" if self.schedule.timeline is None else "at the recorded times"
            return f"It fails {when}: no decision is needed."
        last = deviations[-1]
        held_up = self._line_of(last.usual)
        instead = f"{last.chosen.run} goes first at {last.usual}{held_up}, where {last.usual.run} would have"
        if len(deviations) == 1:
            return f"One decision flips the result: {instead}. Without it, the test passes."
        return (
            f"It takes {len(deviations)} decisions, and without any one of them the test passes. "
            f"The last: {instead}."
        )

    @cached_property
    def lanes(self) -> list[str]:
        """Who did anything, in the order of their first steps."""
        return list(dict.fromkeys(step.run for step in self.steps))

    @cached_property
    def events(self) -> list[Event]:
        """All steps, as they are shown."""
        decisive = {choice.chosen for choice in self.schedule.deviations}
        events: list[Event] = []
        for number, step in enumerate(self.steps, 1):
            decision = Decision(step.run, step.point)
            where, code = self._source(step.place)
            events.append(
                Event(
                    number,
                    step.run,
                    step.moment,
                    step.kind if step.resource is None else f"{step.kind} {step.resource}",
                    code,
                    where,
                    decision in decisive,
                )
            )
            decisive.discard(decision)
        return events

    @cached_property
    def outcomes(self) -> list[tuple[str, str]]:
        """Each run with the states that it went through."""
        outcomes: list[tuple[str, str]] = []
        for history in self.histories:
            outcomes.append((history.flow_run.short_name, " -> ".join(history.states.names)))
            runs = [*history.subflow_runs, *history.task_runs]
            outcomes += [(history.path(run), " -> ".join(history[run.id].names)) for run in runs]
        return outcomes

    @cached_property
    def beyond(self) -> list[str]:
        """What the simulation could not look into, as far as anybody wants to read of it."""
        more = len(self.left_out) - MOST_LEFT_OUT
        return [*self.left_out[:MOST_LEFT_OUT], *([f"... and {more} more"] if more > 0 else [])]

    def _line_of(self, decision: Decision) -> str:
        for step, event in zip(self.steps, self.events, strict=True):
            if (step.run, step.point) == decision and event.code:
                return f" ({event.where}: {event.code})"
        return ""

    def _source(self, place: str) -> tuple[str, str]:
        """Where a step was, relative to the root, and the line itself."""
        file, _, line = place.rpartition(":")
        if not file or not line.isdecimal():
            return "", ""
        path = Path(file)
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        return f"{shown}:{line}", linecache.getline(file, int(line)).strip()
