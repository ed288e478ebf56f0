"""The rules of a flow run, told by events and the commands that are expected of them."""

import asyncio

import pytest

from runtime.exceptions import CancelledRun, IllegalTransition
from runtime.lifecycle import (
    AlarmRang,
    BodyRaised,
    BodyReturned,
    CancelRequested,
    ClearAlarm,
    FlowRunLifecycle,
    ParametersRefused,
    Record,
    RunAttempt,
    SetAlarm,
    Settle,
    StopAttempt,
    Submitted,
)
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

NOW = 1_700_000_000.0
ERROR = ValueError("no")

FAILED = Failed("Flow run encountered an exception.")
CANCELLED = Cancelled("Flow run was cancelled.")
TIMED_OUT = Failed("Flow run exceeded timeout of 3.0 second(s).", name="TimedOut")


def lifecycle(first: int = 1, **policy) -> FlowRunLifecycle:
    return FlowRunLifecycle(RunPolicy(**policy), lambda failures: 0.5, first)


def after(*events, **policy) -> FlowRunLifecycle:
    """A flow run that heard of these events."""
    run = lifecycle(**policy)
    for event in events:
        run.handle(event, NOW)
    return run


def ended(state: State) -> tuple:
    return Record(state), Settle(state)


def test_a_flow_run_is_pending_then_running_and_calls_its_function():
    assert lifecycle().handle(Submitted(), NOW) == (Record(Pending()), Record(Running()), RunAttempt(1))


def test_a_flow_run_with_refused_parameters_fails_without_having_run():
    error = TypeError("x: not a number")
    run = lifecycle(retries=3)

    assert run.handle(ParametersRefused(error), NOW) == (
        Record(Pending()),
        *ended(Failed("Flow run received invalid parameters.")),
    )
    assert run.state.data is error


@pytest.mark.parametrize(
    "state",
    [Completed(data=3), Failed("2/3 states failed."), Cancelled("1/2 states cancelled."), Crashed("lost")],
)
def test_a_flow_run_ends_in_the_state_that_its_function_amounts_to(state):
    run = after(Submitted())

    assert run.handle(BodyReturned(state), NOW) == ended(state)
    assert run.state.data is state.data
    assert run.state.at == NOW


def test_an_exception_fails_the_flow_run():
    run = after(Submitted())

    assert run.handle(BodyRaised(ERROR), NOW) == ended(FAILED)
    assert run.state.data is ERROR


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
        (SystemExit(), "Execution was aborted by Python system exit call."),
        (asyncio.CancelledError(), "Execution was cancelled by the runtime environment."),
    ],
)
def test_what_is_no_mere_exception_crashes_the_flow_run_and_is_not_retried(exception, message):
    run = after(Submitted(), retries=3)

    assert run.handle(BodyRaised(exception), NOW) == ended(Crashed(message))


# Retries


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (BodyRaised(ERROR), "Flow run encountered an exception."),
        (BodyReturned(Failed("2/3 states failed.")), "2/3 states failed."),
    ],
)
def test_a_failed_flow_run_is_run_again_in_the_next_run_count(event, message):
    run = after(Submitted(), retries=1, retry_delays=(2.0,))

    assert run.handle(event, NOW) == (Record(AwaitingRetry(message)), SetAlarm(2.0, 2))
    assert run.run_count == 1
    assert run.handle(AlarmRang(2), NOW) == (Record(Retrying()), RunAttempt(2))
    assert run.run_count == 2
    assert run.handle(BodyReturned(Completed()), NOW) == ended(Completed())


def test_a_flow_run_without_delay_still_waits_for_the_clock_before_a_retry():
    assert after(Submitted(), retries=1).handle(BodyRaised(ERROR), NOW)[-1] == SetAlarm(0.0, 2)


def test_a_flow_run_fails_when_its_retries_are_used_up():
    run = after(Submitted(), BodyRaised(ERROR), AlarmRang(2), BodyRaised(ERROR), AlarmRang(3), retries=2)

    assert run.handle(BodyRaised(ERROR), NOW) == ended(FAILED)
    assert run.run_count == 3


@pytest.mark.parametrize("state", [Completed(), Cancelled(), Crashed()])
def test_only_a_failure_is_retried(state):
    assert after(Submitted(), retries=3).handle(BodyReturned(state), NOW) == ended(state)


def test_jitter_stretches_the_delay_of_a_flow_run_too():
    run = after(Submitted(), retries=1, retry_delays=(10.0,), retry_jitter_factor=0.2)

    assert run.handle(BodyRaised(ERROR), NOW)[-1] == SetAlarm(11.0, 2)


def test_a_run_that_is_resumed_counts_on_and_has_all_its_retries():
    run = lifecycle(first=4, retries=1, retry_delays=(1.0, 9.0))

    assert run.handle(Submitted(), NOW)[-1] == RunAttempt(4)
    assert run.handle(BodyRaised(ERROR), NOW)[-1] == SetAlarm(1.0, 5)
    assert run.handle(AlarmRang(5), NOW)[-1] == RunAttempt(5)
    assert run.handle(BodyRaised(ERROR), NOW) == ended(FAILED)


# Timeouts


def test_the_time_of_a_flow_run_counts_from_the_call_of_its_function():
    assert lifecycle(timeout=3.0).handle(Submitted(), NOW) == (
        Record(Pending()),
        Record(Running()),
        SetAlarm(3.0, 1),
        RunAttempt(1),
    )


@pytest.mark.parametrize(
    "end", [BodyRaised(CancelledRun("stopped")), BodyReturned(Completed()), BodyRaised(ERROR)]
)
def test_a_flow_run_that_takes_too_long_is_stopped_and_has_timed_out_when_it_ends(end):
    run = after(Submitted(), timeout=3.0)

    assert run.handle(AlarmRang(1), NOW) == (StopAttempt(1),)
    assert run.handle(end, NOW) == ended(TIMED_OUT)
    assert isinstance(run.state.data, TimeoutError)


def test_a_flow_run_that_timed_out_is_retried_with_its_time_anew():
    run = after(Submitted(), AlarmRang(1), timeout=3.0, retries=1, retry_delays=(1.0,))

    assert run.handle(BodyRaised(ERROR), NOW) == (Record(AwaitingRetry(TIMED_OUT.message)), SetAlarm(1.0, 2))
    assert run.handle(AlarmRang(2), NOW) == (Record(Retrying()), SetAlarm(3.0, 2), RunAttempt(2))
    assert run.handle(BodyReturned(Completed()), NOW) == (ClearAlarm(), *ended(Completed()))


@pytest.mark.parametrize("exception", [KeyboardInterrupt(), SystemExit()])
def test_an_interrupt_crashes_a_flow_run_also_while_it_is_stopped(exception):
    timed_out = after(Submitted(), AlarmRang(1), timeout=3.0, retries=1)
    cancelled = after(Submitted(), CancelRequested())

    for run in (timed_out, cancelled):
        run.handle(BodyRaised(exception), NOW)
        assert run.state.is_crashed()


def test_the_alarm_of_a_flow_run_that_ends_in_time_is_cleared():
    run = after(Submitted(), timeout=3.0)

    assert run.handle(BodyReturned(Completed()), NOW) == (ClearAlarm(), *ended(Completed()))


def test_the_alarm_of_a_timeout_that_rings_late_does_not_cut_the_delay_of_a_retry_short():
    run = after(Submitted(), BodyRaised(ERROR), timeout=3.0, retries=1, retry_delays=(60.0,))

    assert run.handle(AlarmRang(1), NOW) == ()
    assert run.handle(AlarmRang(2), NOW)[-1] == RunAttempt(2)


@pytest.mark.parametrize("attempt", [0, 1, 2, 3])
def test_alarms_that_nobody_set_are_not_heard(attempt):
    assert after(Submitted()).handle(AlarmRang(attempt), NOW) == ()


# Cancelling


def test_a_running_flow_is_told_to_stop_and_is_cancelled_when_it_has():
    run = after(Submitted(), timeout=3.0)

    assert run.handle(CancelRequested(), NOW) == (ClearAlarm(), Record(Cancelling()), StopAttempt(1))
    assert run.handle(BodyRaised(CancelledRun("stopped")), NOW) == ended(CANCELLED)
    assert isinstance(run.state.data, CancelledRun)


@pytest.mark.parametrize(
    "end", [BodyReturned(Completed()), BodyRaised(ERROR), BodyRaised(asyncio.CancelledError())]
)
def test_however_a_flow_run_ends_that_was_told_to_stop_it_is_cancelled(end):
    run = after(Submitted(), CancelRequested(), retries=3)

    assert run.handle(end, NOW) == ended(CANCELLED)


def test_a_flow_run_that_waits_for_a_retry_is_cancelled_at_once():
    run = after(Submitted(), BodyRaised(ERROR), retries=1)

    assert run.handle(CancelRequested(), NOW) == (ClearAlarm(), *ended(CANCELLED))
    assert run.handle(AlarmRang(2), NOW) == ()


def test_a_flow_run_that_timed_out_can_be_cancelled_while_it_is_stopped():
    run = after(Submitted(), AlarmRang(1), timeout=3.0, retries=1)

    assert run.handle(CancelRequested(), NOW) == (Record(Cancelling()), StopAttempt(1))
    assert run.handle(BodyRaised(ERROR), NOW) == ended(CANCELLED)


def test_an_interrupt_while_it_waits_for_a_retry_crashes_the_flow_run():
    run = after(Submitted(), BodyRaised(ERROR), retries=1)

    state = Crashed("Execution was aborted by an interrupt signal.")
    assert run.handle(BodyRaised(KeyboardInterrupt()), NOW) == (ClearAlarm(), *ended(state))


def test_a_flow_run_that_is_cancelled_from_outside_while_it_waits_for_a_retry_crashes_also_after_a_timeout():
    run = after(Submitted(), AlarmRang(1), BodyRaised(ERROR), timeout=3.0, retries=1)

    state = Crashed("Execution was cancelled by the runtime environment.")
    assert run.handle(BodyRaised(asyncio.CancelledError()), NOW) == (ClearAlarm(), *ended(state))


@pytest.mark.parametrize(
    "events",
    [
        [Submitted(), BodyReturned(Completed())],
        [Submitted(), BodyRaised(ERROR)],
        [Submitted(), BodyRaised(KeyboardInterrupt())],
        [Submitted(), CancelRequested(), BodyRaised(ERROR)],
        [ParametersRefused(TypeError())],
    ],
)
def test_nothing_happens_to_a_flow_run_that_has_ended(events):
    run = after(*events)
    last = run.state

    for event in (
        BodyReturned(Completed()),
        BodyRaised(KeyboardInterrupt()),
        CancelRequested(),
        AlarmRang(1),
    ):
        assert run.handle(event, NOW) == ()
    assert run.state is last


# What cannot happen


@pytest.mark.parametrize("event", [BodyReturned(Completed()), BodyRaised(ERROR), CancelRequested()])
def test_nothing_can_happen_to_a_flow_run_before_it_is_submitted(event):
    with pytest.raises(IllegalTransition, match="before it is submitted"):
        lifecycle().handle(event, NOW)


@pytest.mark.parametrize("event", [Submitted(), ParametersRefused(TypeError())])
@pytest.mark.parametrize(
    "before", [(), (BodyRaised(ERROR),), (CancelRequested(),), (BodyReturned(Completed()),)]
)
def test_a_flow_run_cannot_be_submitted_twice(before, event):
    run = after(Submitted(), *before, retries=1)

    with pytest.raises(IllegalTransition, match="cannot happen while"):
        run.handle(event, NOW)


def test_a_function_that_is_not_being_called_cannot_fail():
    run = after(Submitted(), BodyRaised(ERROR), retries=3)

    with pytest.raises(IllegalTransition):
        run.handle(BodyRaised(ERROR), NOW)
