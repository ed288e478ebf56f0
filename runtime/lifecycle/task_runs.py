"""The rules of a task run: events in, commands out, nothing touched."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from runtime.exceptions import CancelledRun, CrashedRun, FailedRun, IllegalTransition
from runtime.lifecycle.crashes import crash_message
from runtime.lifecycle.messages import (
    AlarmRang,
    CancelRequested,
    ClearAlarm,
    Command,
    Lost,
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
    TaskRunEvent,
    UpstreamSettled,
)
from runtime.lifecycle.transitions import check_transition
from runtime.policies import RunPolicy
from runtime.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Retrying,
    Running,
    State,
)

Commands = tuple[Command, ...]
_NOTHING: Commands = ()


class TaskRunLifecycle:
    """One task run within one run count.

    ``fraction(attempt)`` gives the chance that the jitter of a retry's delay needs.
    """

    __slots__ = ("_alarm", "_attempt", "_blocked_by", "_fraction", "_open", "_policy", "_upstream", "state")

    def __init__(self, policy: RunPolicy, fraction: Callable[[int], float]) -> None:
        self.state: State | None = None
        self._policy = policy
        self._fraction = fraction
        #: the number of the latest attempt asked for
        self._attempt = 0
        #: whether that attempt may still report
        self._open = False
        self._alarm = False
        self._upstream = 0
        #: the first of the upstream runs, in order of arguments, that cannot be used
        self._blocked_by: tuple[int, UUID] | None = None

    @property
    def attempt(self) -> int:
        """The number of the latest attempt asked for; 0 before the first."""
        return self._attempt

    def handle(self, event: TaskRunEvent, now: float) -> Commands:
        """What is to be done about ``event``, in order. ``now``: seconds since the epoch.

        Raises ``IllegalTransition`` for an event that cannot happen in the run's state.
        """
        return self._rules[type(event)](self, event, now)

    def awaits(self, attempt: int) -> bool:
        """Whether a report of this attempt would still be heard."""
        return self._open and attempt == self._attempt

    def _submitted(self, event: Submitted, now: float) -> Commands:
        if self.state is not None:
            raise IllegalTransition(f"Submitted cannot happen while {self.state}")
        self._upstream = event.upstream
        pending = self._record(Pending(at=now))
        return (pending,) if self._upstream else (pending, self._next_attempt())

    def _upstream_settled(self, event: UpstreamSettled, now: float) -> Commands:
        if self._upstream == 0:
            raise IllegalTransition(f"UpstreamSettled cannot happen: no upstream is left, {self.state}")
        self._upstream -= 1
        if not event.usable and (self._blocked_by is None or event.position < self._blocked_by[0]):
            self._blocked_by = (event.position, event.run_id)
        if self._upstream or not _type(self.state).is_pending():
            return _NOTHING
        if self._blocked_by is None:
            return (self._next_attempt(),)
        message = f"Upstream task run '{self._blocked_by[1]}' did not reach a 'COMPLETED' state."
        return self._settle(Pending(message, name="NotReady", at=now))

    def _started(self, event: Started, now: float) -> Commands:
        if not self.awaits(event.attempt) or not _may_start(self.state):
            return _NOTHING
        record = self._record(Running(at=now) if event.attempt == 1 else Retrying(at=now))
        if self._policy.timeout is None:
            return (record,)
        self._alarm = True
        return record, SetAlarm(self._policy.timeout, event.attempt)

    def _returned(self, event: Returned, now: float) -> Commands:
        if not self.awaits(event.attempt):
            return _NOTHING
        if _type(self.state).is_cancelling():
            return self._settle_cancelled(now)
        if isinstance(event.value, State):
            if event.value.is_failed() and event.retriable and self._may_retry():
                return self._retry(now, error=event.value.data)
            return self._settle(adopt(event.value, now))
        return self._settle(Completed(name="Cached" if event.cached else None, data=event.value, at=now))

    def _raised(self, event: Raised, now: float) -> Commands:
        if not self.awaits(event.attempt):
            return _NOTHING
        if _type(self.state).is_cancelling():
            return self._settle_cancelled(now)
        crash = crash_message(event.exception)
        if crash is not None:
            return self._settle(Crashed(crash, data=event.exception, at=now))
        if event.retriable and self._may_retry():
            return self._retry(now, error=event.exception)
        return self._settle(
            Failed("Task run encountered an exception.", data=event.exception, at=now),
        )

    def _refused(self, event: Refused, now: float) -> Commands:
        if not self.awaits(event.attempt):
            return _NOTHING
        if _type(self.state).is_cancelling():
            return self._settle_cancelled(now)
        return self._settle(Failed(event.message, data=event.exception, at=now))

    def _lost(self, event: Lost, now: float) -> Commands:
        if not self.awaits(event.attempt):
            return _NOTHING
        if not _type(self.state).is_cancelling() and self._may_retry():
            return self._retry(now, event.message)
        return self._settle(Crashed(event.message, data=CrashedRun(event.message), at=now))

    def _stopped(self, event: Stopped, now: float) -> Commands:
        if not self.awaits(event.attempt):
            return _NOTHING
        if _type(self.state).is_cancelling():
            return self._settle_cancelled(now)
        return self._lost(Lost(event.attempt, "Execution was stopped from outside."), now)

    def _alarm_rang(self, event: AlarmRang, now: float) -> Commands:
        if not self._alarm:
            return _NOTHING
        state = _type(self.state)
        if event.attempt != (self._attempt + 1 if state.is_scheduled() else self._attempt):
            return _NOTHING
        self._alarm = False
        if state.is_scheduled():
            return (self._next_attempt(),)
        stop = StopAttempt(self._attempt)
        message = f"Task run exceeded timeout of {self._policy.timeout} second(s)."
        if self._may_retry():
            return stop, *self._retry(now, message)
        timed_out = Failed(message, name="TimedOut", data=TimeoutError(message), at=now)
        return stop, *self._settle(timed_out)

    def _cancel_requested(self, event: CancelRequested, now: float) -> Commands:  # noqa: ARG002
        state = self.state
        if state is None or state.is_settled() or state.is_cancelling():
            return _NOTHING
        if state.is_running():
            return *self._clear_alarm(), self._record(Cancelling(at=now)), StopAttempt(self._attempt)
        stop = (StopAttempt(self._attempt),) if self._open else ()
        return *stop, *self._settle_cancelled(now)  # once it is settled, nobody knows of the attempt

    def _may_retry(self) -> bool:
        return self._attempt <= self._policy.retries

    def _retry(self, now: float, message: str | None = None, error: object = None) -> Commands:
        self._open = False
        delay = self._policy.retry_delay(
            self._attempt, self._fraction(self._attempt) if self._policy.retry_jitter_factor else 0.0
        )
        clear = self._clear_alarm()
        awaiting = self._record(AwaitingRetry(message, data=error, at=now))
        if delay == 0:
            return *clear, awaiting, self._next_attempt()
        self._alarm = True
        return *clear, awaiting, SetAlarm(delay, self._attempt + 1)

    def _next_attempt(self) -> RunAttempt:
        self._attempt += 1
        self._open = True
        return RunAttempt(self._attempt)

    def _settle_cancelled(self, now: float) -> Commands:
        message = "Task run was cancelled."
        return self._settle(Cancelled(message, data=CancelledRun(message), at=now))

    def _settle(self, state: State) -> Commands:
        self._open = False
        record = self._record(state)
        if self._alarm:
            return *self._clear_alarm(), record, Settle(state)
        return record, Settle(state)

    def _clear_alarm(self) -> Commands:
        if not self._alarm:
            return _NOTHING
        self._alarm = False
        return (ClearAlarm(),)

    def _record(self, state: State) -> Record:
        check_transition(self.state, state)
        self.state = state
        return Record(state)

    _rules: ClassVar[dict[type[TaskRunEvent], Callable[[Any, Any, float], Commands]]] = {
        Submitted: _submitted,
        UpstreamSettled: _upstream_settled,
        Refused: _refused,
        Started: _started,
        Returned: _returned,
        Raised: _raised,
        Lost: _lost,
        Stopped: _stopped,
        AlarmRang: _alarm_rang,
        CancelRequested: _cancel_requested,
    }


def adopt(state: State, now: float) -> State:
    """The final state of a run whose function returned ``state``."""
    if state.is_final():
        return state.dated(now)
    message = "1/1 states are not final."
    return Failed(message, data=FailedRun(f"{message} The function returned {state}."), at=now)


def _type(state: State | None) -> State:
    if state is None:
        raise IllegalTransition("Nothing can happen to a run before it is submitted")
    return state


def _may_start(state: State | None) -> bool:
    return _type(state).is_pending() or _type(state).is_scheduled()
