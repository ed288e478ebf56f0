"""Every order of events, to the end: all states that a lifecycle can get into, and what holds in each.

A lifecycle has few states, so all of them can be visited: from each, every event is tried, also those
that come late, twice or of another attempt. What is checked is what no single example shows.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from runtime.exceptions import IllegalTransition
from runtime.lifecycle import (
    AlarmRang,
    BodyRaised,
    BodyReturned,
    CancelRequested,
    ClearAlarm,
    FlowRunLifecycle,
    Lost,
    ParametersRefused,
    Raised,
    Record,
    Refused,
    Returned,
    RunAttempt,
    SetAlarm,
    Settle,
    Started,
    StopAttempt,
    Stopped,
    Submitted,
    TaskRunLifecycle,
    UpstreamSettled,
)
from runtime.policies import RunPolicy
from runtime.states import Completed, Failed

NOW = 1_700_000_000.0
ERROR = ValueError("no")


@dataclass(frozen=True)
class Surroundings:
    """What whoever carries the commands out knows."""

    attempts: int = 0
    alarm: int | None = None
    settled: bool = False

    def after(self, commands: Iterable[Any], event: Any) -> "Surroundings":
        """The surroundings once the commands are carried out; fails for one that makes no sense here."""
        attempts, alarm, settled = self.attempts, self.alarm, self.settled
        if isinstance(event, AlarmRang) and commands:
            assert alarm == event.attempt, "an alarm was heard that was not set"
            alarm = None
        last = None
        for command in commands:
            match command:
                case Record(state):
                    assert not settled, "something was recorded after the end"
                    assert state.at == NOW
                    last = state
                case RunAttempt(number):
                    assert not settled, "an attempt was asked for after the end"
                    assert number == attempts + 1, "attempts are not numbered one by one"
                    attempts = number
                case StopAttempt(number):
                    assert number == attempts > 0, "an attempt was stopped that is not the current one"
                case SetAlarm(delay, attempt):
                    assert alarm is None, "an alarm was set while another one was"
                    assert delay >= 0
                    alarm = attempt
                case ClearAlarm():
                    assert alarm is not None, "an alarm was cleared that was not set"
                    alarm = None
                case Settle(state):
                    assert state is last, "the last state was not the one recorded"
                    assert state.is_settled()
                    settled = True
        assert settled == (self.settled or (last is not None and last.is_settled()))
        assert not (settled and alarm is not None), "an alarm was left behind"
        return Surroundings(attempts, alarm, settled)


@dataclass(frozen=True)
class Situation:
    """A lifecycle and its surroundings at some point."""

    inside: tuple[Any, ...]
    surroundings: Surroundings


def all_situations(
    begin: Callable[[], Any], events: list[Any], impossible: Callable[[Any, Any, Surroundings], bool]
) -> tuple[dict[Situation, set[Situation]], dict[Situation, Any]]:
    """All situations, each with those that may follow, and a lifecycle in each.

    ``impossible`` says which events must raise.
    """
    first = begin()
    start = Situation(inside(first), Surroundings())
    following: dict[Situation, set[Situation]] = {}
    lifecycles = {start: first}
    left = [start]
    while left:
        here = left.pop()
        following[here] = set()
        for event in events:
            lifecycle = copy.copy(lifecycles[here])
            if impossible(event, lifecycle, here.surroundings):
                with pytest.raises(IllegalTransition):
                    lifecycle.handle(event, NOW)
                continue
            commands = lifecycle.handle(event, NOW)
            if here.surroundings.settled:
                assert commands == ()
            there = Situation(inside(lifecycle), here.surroundings.after(commands, event))
            following[here].add(there)
            if there not in lifecycles:
                lifecycles[there] = lifecycle
                left.append(there)
    return following, lifecycles


def inside(lifecycle: Any) -> tuple[Any, ...]:
    return tuple(getattr(lifecycle, name) for name in type(lifecycle).__slots__)


def those_that_can_settle(following: dict[Situation, set[Situation]]) -> set[Situation]:
    able = {situation for situation in following if situation.surroundings.settled}
    while more := {here for here, there in following.items() if here not in able and there & able}:
        able |= more
    return able


POLICIES = [
    RunPolicy(),
    RunPolicy(retries=2),
    RunPolicy(retries=2, retry_delays=(1.0,), retry_jitter_factor=0.5),
    RunPolicy(timeout=3.0),
    RunPolicy(timeout=3.0, retries=2),
    RunPolicy(timeout=3.0, retries=2, retry_delays=(0.0, 1.0)),
]
ATTEMPTS = range(5)


def fraction(attempt: int) -> float:
    return 0.5


def task_run_events(upstream: int) -> list[Any]:
    events: list[Any] = [Submitted(upstream), CancelRequested()]
    for position in range(upstream):
        run_id = UUID(int=position, version=4)
        events += [UpstreamSettled(position, run_id, usable) for usable in (True, False)]
    for attempt in ATTEMPTS:
        events += [
            Started(attempt, "w"),
            Returned(attempt, "value"),
            Returned(attempt, "value", cached=True),
            Returned(attempt, Failed("by hand")),
            Raised(attempt, ERROR),
            Raised(attempt, ERROR, retriable=False),
            Raised(attempt, asyncio.CancelledError()),
            Refused(attempt, "no", ERROR),
            Lost(attempt, "died"),
            Stopped(attempt),
            AlarmRang(attempt),
        ]
    return events


def impossible_for_task_run(event: Any, run: TaskRunLifecycle, surroundings: Surroundings) -> bool:
    if isinstance(event, Submitted):
        return run.state is not None
    return isinstance(event, UpstreamSettled) and run._upstream == 0


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("upstream", [0, 1, 2])
def test_a_task_run_settles_once_whatever_is_reported_in_whatever_order(policy, upstream):
    following, lifecycles = all_situations(
        lambda: TaskRunLifecycle(policy, fraction), task_run_events(upstream), impossible_for_task_run
    )

    assert any(situation.surroundings.settled for situation in following)
    assert those_that_can_settle(following) == set(following)
    for situation, run in lifecycles.items():
        surroundings = situation.surroundings
        assert surroundings.attempts <= policy.retries + 1
        if run.state is not None and not surroundings.settled:
            awaited = run.awaits(run.attempt) or surroundings.alarm is not None or run._upstream > 0
            assert awaited, f"nothing is left that would ever move a run in {run.state}"


def flow_run_events() -> list[Any]:
    return [
        Submitted(),
        ParametersRefused(TypeError("x")),
        BodyReturned(Completed()),
        BodyReturned(Failed("2/3 states failed.")),
        BodyRaised(ERROR),
        BodyRaised(KeyboardInterrupt()),
        BodyRaised(asyncio.CancelledError()),
        CancelRequested(),
        *(AlarmRang(attempt) for attempt in ATTEMPTS),
    ]


def impossible_for_flow_run(event: Any, run: FlowRunLifecycle, surroundings: Surroundings) -> bool:
    if isinstance(event, Submitted | ParametersRefused):
        return run.state is not None
    if run.state is None:
        return not isinstance(event, AlarmRang)
    crash = isinstance(event, BodyRaised) and not isinstance(event.exception, Exception)
    return run.state.is_scheduled() and isinstance(event, BodyReturned | BodyRaised) and not crash


@pytest.mark.parametrize("policy", POLICIES)
def test_a_flow_run_settles_once_whatever_is_reported_in_whatever_order(policy):
    following, lifecycles = all_situations(
        lambda: FlowRunLifecycle(policy, fraction), flow_run_events(), impossible_for_flow_run
    )

    assert any(situation.surroundings.settled for situation in following)
    assert those_that_can_settle(following) == set(following)
    for situation, run in lifecycles.items():
        assert situation.surroundings.attempts <= policy.retries + 1
        if run.state is not None and run.state.is_scheduled():
            assert situation.surroundings.alarm == run.run_count + 1


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_that_is_cancelled_makes_no_further_attempt(policy):
    _, lifecycles = all_situations(
        lambda: TaskRunLifecycle(policy, fraction), task_run_events(1), impossible_for_task_run
    )

    for situation, run in lifecycles.items():
        if run.state is None:
            continue
        cancelled = copy.copy(run)
        cancelled.handle(CancelRequested(), NOW)
        settled_or_stopping = cancelled.state.is_settled() or cancelled.state.is_cancelling()
        assert settled_or_stopping, situation
        for event in task_run_events(1):
            if not impossible_for_task_run(event, cancelled, situation.surroundings):
                later = copy.copy(cancelled)
                assert not any(isinstance(c, RunAttempt) for c in later.handle(event, NOW))
