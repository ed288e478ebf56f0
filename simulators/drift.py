"""Drift: where a replayed flow run differs from the one that was recorded."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from runtime.history import FlowRunHistory, StateChange
from runtime.states import StateType
from simulators.timelines import was_lost


class _Step(NamedTuple):
    """What is compared: who was in which state, at which attempt. The flow run itself is ""."""

    run: str
    state: str
    attempt: int
    run_count: int


@dataclass(frozen=True, slots=True)
class Drift:
    """The first place where two histories differ."""

    #: what was recorded there, and when; None where nothing was any more
    recorded: StateChange | None
    replayed: StateChange | None
    recorded_run: str = ""
    replayed_run: str = ""

    def __str__(self) -> str:
        then = _said(self.recorded, self.recorded_run, "nothing more")
        now = _said(self.replayed, self.replayed_run, "nothing more")
        return f"recorded: {then}; replayed: {now}"


def first_drift(recorded: FlowRunHistory, replayed: FlowRunHistory) -> Drift | None:
    """The first difference between a recorded run and its replay; None where there is none.

    Compared are beginnings, ends and retries, in their order. Submissions are not: the flow's own code takes
    no time in a simulation. Where the process of the recorded run was lost, so is what came after.
    """
    then = _steps(recorded, _before_loss(recorded))
    now = _steps(replayed, replayed)
    cut_off = len(then) if was_lost(recorded) else None
    for one, other in zip_longest(then[:cut_off], now[:cut_off]):
        if one is None or other is None or one[0] != other[0]:
            return Drift(
                one[1] if one else None,
                other[1] if other else None,
                one[0].run if one else "",
                other[0].run if other else "",
            )
    return None


def runs_that_differ(recorded: FlowRunHistory, replayed: FlowRunHistory) -> list[str]:
    """The short names of runs that only one of the two has."""
    then = Counter(recorded.path(run) for run in recorded.task_runs)
    now = Counter(replayed.path(run) for run in replayed.task_runs)
    return sorted({*(then - now), *(now - then)})


def _steps(history: FlowRunHistory, changes: Iterable[StateChange]) -> list[tuple[_Step, StateChange]]:
    own = history.flow_run.id
    return [
        (
            _Step(
                "" if change.run.id == own else history.path(change.run),
                change.state.name,
                change.attempt,
                change.run_count,
            ),
            change,
        )
        for change in _without_submissions(changes)
    ]


def _without_submissions(changes: Iterable[StateChange]) -> list[StateChange]:
    """Beginnings, ends and retries: all but submissions."""
    return [change for change in changes if change.state.type is not StateType.PENDING]


def _before_loss(history: FlowRunHistory) -> list[StateChange]:
    changes = list(history)
    if was_lost(history):
        while changes and changes[-1].state.type is StateType.CRASHED:
            changes.pop()
    return changes


def _said(change: StateChange | None, run: str, nothing: str) -> str:
    if change is None:
        return nothing
    message = f" ({change.state.message})" if change.state.message else ""
    attempt = f", attempt {change.attempt}" if change.attempt > 1 else ""
    return f"{run or 'the flow run'} {change.state.name}{attempt} at +{change.elapsed:.3f} s{message}"
