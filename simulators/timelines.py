"""Timelines: when each attempt of a recorded flow run began and ended.

That is all that a history can say of a schedule: what went on inside of an attempt is not recorded.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any, NamedTuple, cast

from runtime.history import FlowRunHistory, StateChange
from runtime.states import State, StateType
from simulators.exceptions import ScheduleError

#: A timeline may come from anywhere: a longer one is not read.
MAX_ATTEMPTS = 1_000_000
MAX_NAME = 1_000
MAX_COUNT = 10**9


class RecordedAttempt(NamedTuple):
    """One attempt of a task run, as it was recorded. Moments are seconds since the flow run began."""

    #: the short name of the run, as decisions have it: ``add-0``, ``child-flow-0/add-0``
    run: str
    run_count: int
    number: int
    began: float
    #: None where nobody heard of its end
    ended: float | None
    #: what it crashed of, where that came from outside of its code
    crash: str | None = None
    #: seconds of it that are spent before its code runs; the rest, where the code takes less, comes after
    before: float = 0.0

    @property
    def key(self) -> tuple[str, int, int]:
        """Which attempt it is."""
        return self[:3]


@dataclass(frozen=True)
class Timeline:
    """The attempts of a flow run, in the order in which they began."""

    attempts: tuple[RecordedAttempt, ...]

    @classmethod
    def of(cls, history: FlowRunHistory) -> "Timeline":
        """The timeline of a recorded flow run.

        Where the flow run itself crashed, the crashes of its task runs are its own, and are left out.
        """
        lost = was_lost(history)
        moments = _moments_of(history)
        attempts: list[RecordedAttempt] = []
        for run in history.task_runs:
            changes = list(history[run.id])
            path = history.path(run)
            for change, after in zip_longest(changes, changes[1:]):
                if change.state.type is StateType.RUNNING:
                    ended, crash = (None, None) if after is None else _end(after, moments, lost=lost)
                    began = moments[change.index]
                    attempts.append(
                        RecordedAttempt(path, change.run_count, change.attempt, began, ended, crash)
                    )
        return cls(tuple(sorted(attempts, key=lambda attempt: attempt.began)))

    @property
    def runs(self) -> list[str]:
        """Whose attempts they are, in the order in which they first began."""
        return list(dict.fromkeys(attempt.run for attempt in self.attempts))

    def without(self, runs: Iterable[str]) -> "Timeline":
        """The same, with no word on these runs."""
        dropped = set(runs)
        return Timeline(tuple(attempt for attempt in self.attempts if attempt.run not in dropped))

    def spent_before(self, seconds: Mapping[tuple[str, int, int], float]) -> "Timeline":
        """The same, with so many seconds of these attempts spent before their code runs, by their keys."""
        changed = (attempt._replace(before=seconds.get(attempt.key, 0.0)) for attempt in self.attempts)
        return Timeline(tuple(changed))

    def attempt(self, run: str, run_count: int, number: int) -> RecordedAttempt | None:
        """What was recorded of an attempt; None for one that there was not."""
        return self._by_key.get((run, run_count, number))

    @cached_property
    def _by_key(self) -> dict[tuple[str, int, int], RecordedAttempt]:
        return {attempt.key: attempt for attempt in self.attempts}

    def outline(self) -> list[list[Any]]:
        """The timeline in a form that JSON has."""
        return [_written(attempt) for attempt in self.attempts]

    @classmethod
    def from_outline(cls, content: object) -> "Timeline":
        """Read what :meth:`outline` gave. Raises ``ScheduleError`` for anything else."""
        if not isinstance(content, list) or len(cast("list[object]", content)) > MAX_ATTEMPTS:
            raise ScheduleError("What was recorded is a list of attempts")
        return cls(tuple(_read(item) for item in cast("list[object]", content)))


def was_lost(history: FlowRunHistory) -> bool:
    """Whether the flow run itself crashed, so that the crashes of its task runs are its own."""
    own = history.states
    return bool(own) and own[-1].state.type is StateType.CRASHED


def was_timed_out(state: State) -> bool:
    """Whether an attempt that this state came after took too long."""
    return (state.message or "").startswith(_TIMED_OUT)


def _moments_of(history: FlowRunHistory) -> dict[int, float]:
    """When each change came, by its number: no two at once, so that their order stays."""
    moments: dict[int, float] = {}
    latest = 0.0
    for change in history:
        latest = moments[change.index] = round(max(change.elapsed, latest + _APART), _DIGITS)
    return moments


def _end(after: StateChange, moments: dict[int, float], *, lost: bool) -> tuple[float | None, str | None]:
    """When an attempt ended that this change came after, and what it crashed of."""
    kind, message = after.state.type, after.state.message
    if kind is StateType.CANCELLED or (lost and kind is StateType.CRASHED):
        return None, None  # it was ended, along with others
    crash = None
    if kind is StateType.CRASHED:
        crash = message or "Execution was lost."
    elif kind is StateType.SCHEDULED and message and not was_timed_out(after.state):
        crash = message
    return moments[after.index], crash


def _written(attempt: RecordedAttempt) -> list[Any]:
    if attempt.before:
        return list(attempt)
    return list(attempt[:5] if attempt.crash is None else attempt[:6])


def _read(item: object) -> RecordedAttempt:
    fields = cast("list[object]", item) if isinstance(item, list) else []
    if not 5 <= len(fields) <= 7:
        raise ScheduleError("A recorded attempt has a run, two numbers, and two moments")
    run, run_count, number, began, ended = fields[:5]
    crash, before = [*fields[5:], *_USUAL[len(fields) - 5 :]]
    if (
        not (isinstance(run, str) and 0 < len(run) <= MAX_NAME)
        or not (_is_count(run_count) and _is_count(number))
        or not (_is_moment(began) and (ended is None or _is_moment(ended)))
        or not (crash is None or isinstance(crash, str))
        or not _is_moment(before)
    ):
        raise ScheduleError(f"This is no recorded attempt: {item!r:.80}")
    return RecordedAttempt(*cast("tuple[Any, ...]", (run, run_count, number, began, ended, crash, before)))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < MAX_COUNT


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value < math.inf


#: crash, and what is spent before, where nothing is said of them
_USUAL = (None, 0.0)
#: digits of a second that are kept: virtual time has no finer ones
_DIGITS = 6
#: seconds between two changes: alarms that are closer are due at once
_APART = 16e-6
#: what is said of an attempt that is made again though its worker was not lost
_TIMED_OUT = "Task run exceeded timeout"
