"""The rules of a flow run: events in, commands out, nothing touched."""

from collections.abc import Callable
from typing import Any, ClassVar

from runtime.exceptions import CancelledRun, IllegalTransition
from runtime.lifecycle.crashes import crash_message
from runtime.lifecycle.messages import (
    AlarmRang,
    BodyRaised,
    BodyReturned,
    CancelRequested,
    ClearAlarm,
    Command,
    FlowRunEvent,
    ParametersRefused,
    Record,
    RunAttempt,
    SetAlarm,
    Settle,
    StopAttempt,
    Submitted,
)
from runtime.lifecycle.transitions import check_transition
from runtime.policies import RunPolicy
from runtime.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Crashed,
    Failed,
    Pending,
    Retrying,
    Running,
    State,
)

Commands = tuple[Command, ...]
_NOTHING: Commands = ()


class FlowRunLifecycle:
    """One flow run. Its attempts are its run counts: a retry calls the function again, in a higher one.

    ``first`` is the run count to begin with: 1, or one more than the last of a run that is resumed.
    """

    __slots__ = ("_alarm", "_first", "_fraction", "_policy", "_timed_out", "run_count", "state")

    def __init__(self, policy: RunPolicy, fraction: Callable[[int], float], first: int = 1) -> None:
        self.state: State | None = None
        self.run_count = first
        self._first = first
        self._policy = policy
        self._fraction = fraction
        self._alarm = False
        #: whether the attempt was told to stop since its time is up; it ends when its function and tasks have
        self._timed_out = False

    def handle(self, event: FlowRunEvent, now: float) -> Commands:
        """What is to be done about ``event``, in order. ``now``: seconds since the epoch.

        Raises ``IllegalTransition`` for an event that cannot happen in the run's state.
        """
        return self._rules[type(event)](self, event, now)

    def _submitted(self, event: Submitted, now: float) -> Commands:  # noqa: ARG002
        return self._begin(now), *self._run(Running(at=now))

    def _parameters_refused(self, event: ParametersRefused, now: float) -> Commands:
        message = "Flow run received invalid parameters."
        return self._begin(now), *self._settle(Failed(message, data=event.exception, at=now))

    def _body_returned(self, event: BodyReturned, now: float) -> Commands:
        state = self._current()
        if state.is_final():
            return _NOTHING
        if state.is_cancelling():
            return self._settle_cancelled(now)
        return self._conclude(self._time_out(now) if self._timed_out else event.state.dated(now), now)

    def _body_raised(self, event: BodyRaised, now: float) -> Commands:
        state = self._current()
        if state.is_final():
            return _NOTHING
        if not isinstance(event.exception, KeyboardInterrupt | SystemExit):  # else it was told to stop, by us
            if state.is_cancelling():
                return self._settle_cancelled(now)
            if self._timed_out:
                return self._conclude(self._time_out(now), now)
        crash = crash_message(event.exception)
        if crash is not None:
            return self._settle(Crashed(crash, data=event.exception, at=now))
        message = "Flow run encountered an exception."
        return self._conclude(Failed(message, data=event.exception, at=now), now)

    def _alarm_rang(self, event: AlarmRang, now: float) -> Commands:
        if not self._alarm:
            return _NOTHING
        state = self._current()
        if event.attempt != (self.run_count + 1 if state.is_scheduled() else self.run_count):
            return _NOTHING
        self._alarm = False
        if state.is_scheduled():
            self.run_count += 1
            return self._run(Retrying(at=now))
        self._timed_out = True
        return (StopAttempt(self.run_count),)

    def _cancel_requested(self, event: CancelRequested, now: float) -> Commands:  # noqa: ARG002
        state = self._current()
        if state.is_final() or state.is_cancelling():
            return _NOTHING
        if state.is_scheduled():
            return self._settle_cancelled(now)
        return *self._clear_alarm(), self._record(Cancelling(at=now)), StopAttempt(self.run_count)

    def _begin(self, now: float) -> Record:
        if self.state is not None:
            raise IllegalTransition(f"Submitted cannot happen while {self.state}")
        return self._record(Pending(at=now))

    def _run(self, state: State) -> Commands:
        record = self._record(state)
        if self._policy.timeout is None:
            return record, RunAttempt(self.run_count)
        self._alarm = True
        return record, SetAlarm(self._policy.timeout, self.run_count), RunAttempt(self.run_count)

    def _conclude(self, state: State, now: float) -> Commands:
        if not self._current().is_running():
            raise IllegalTransition(f"{state} cannot follow {self.state}: the function is not being called")
        failures = self.run_count - self._first + 1
        if not state.is_failed() or failures > self._policy.retries:
            return self._settle(state)
        jitter = self._fraction(failures) if self._policy.retry_jitter_factor else 0.0
        clear = self._clear_alarm()
        awaiting = self._record(AwaitingRetry(state.message, data=state.data, at=now))
        self._timed_out = False
        self._alarm = True
        return *clear, awaiting, SetAlarm(self._policy.retry_delay(failures, jitter), self.run_count + 1)

    def _time_out(self, now: float) -> State:
        message = f"Flow run exceeded timeout of {self._policy.timeout} second(s)."
        return Failed(message, name="TimedOut", data=TimeoutError(message), at=now)

    def _settle_cancelled(self, now: float) -> Commands:
        message = "Flow run was cancelled."
        return self._settle(Cancelled(message, data=CancelledRun(message), at=now))

    def _settle(self, state: State) -> Commands:
        return *self._clear_alarm(), self._record(state), Settle(state)

    def _clear_alarm(self) -> Commands:
        if not self._alarm:
            return _NOTHING
        self._alarm = False
        return (ClearAlarm(),)

    def _record(self, state: State) -> Record:
        check_transition(self.state, state)
        self.state = state
        return Record(state)

    def _current(self) -> State:
        if self.state is None:
            raise IllegalTransition("Nothing can happen to a flow run before it is submitted")
        return self.state

    _rules: ClassVar[dict[type[FlowRunEvent], Callable[[Any, Any, float], Commands]]] = {
        Submitted: _submitted,
        ParametersRefused: _parameters_refused,
        BodyReturned: _body_returned,
        BodyRaised: _body_raised,
        AlarmRang: _alarm_rang,
        CancelRequested: _cancel_requested,
    }
