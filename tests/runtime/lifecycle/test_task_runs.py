"""The rules of a task run, told by events and the commands that are expected of them."""

import asyncio
from uuid import UUID

import pytest

from runtime.exceptions import CancelledRun, CrashedRun, FailedRun, IllegalTransition
from runtime.lifecycle import (
    AlarmRang,
    CancelRequested,
    ClearAlarm,
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
    TaskRunLifecycle,
    UpstreamSettled,
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
UPSTREAM = UUID(int=7, version=4)
OTHER_UPSTREAM = UUID(int=8, version=4)
ERROR = ValueError("no")

FAILED = Failed("Task run encountered an exception.")
CANCELLED = Cancelled("Task run was cancelled.")


def lifecycle(**policy) -> TaskRunLifecycle:
    return TaskRunLifecycle(RunPolicy(**policy), fraction=lambda attempt: 0.5)


def after(*events, **policy) -> TaskRunLifecycle:
    """A task run that heard of these events."""
    run = lifecycle(**policy)
    for event in events:
        run.handle(event, NOW)
    return run


def ended(state: State) -> tuple:
    return Record(state), Settle(state)


def test_a_run_without_upstream_is_pending_and_makes_its_first_attempt():
    assert lifecycle().handle(Submitted(), NOW) == (Record(Pending()), RunAttempt(1))


def test_a_run_with_upstream_is_pending_and_waits_for_all_of_it():
    run = lifecycle()

    assert run.handle(Submitted(upstream=2), NOW) == (Record(Pending()),)
    assert run.handle(UpstreamSettled(1, UPSTREAM, usable=True), NOW) == ()
    assert run.handle(UpstreamSettled(0, OTHER_UPSTREAM, usable=True), NOW) == (RunAttempt(1),)


def test_a_run_whose_upstream_cannot_be_used_is_not_ready_and_never_runs():
    run = after(Submitted(upstream=1))

    message = f"Upstream task run '{UPSTREAM}' did not reach a 'COMPLETED' state."
    assert run.handle(UpstreamSettled(0, UPSTREAM, usable=False), NOW) == ended(
        Pending(message, name="NotReady")
    )


def test_a_run_waits_for_the_rest_of_its_upstream_also_when_some_of_it_failed():
    run = after(Submitted(upstream=2))

    assert run.handle(UpstreamSettled(0, UPSTREAM, usable=False), NOW) == ()
    assert run.handle(UpstreamSettled(1, OTHER_UPSTREAM, usable=True), NOW)[-1] == Settle(run.state)


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_failed_upstream_in_order_of_arguments_is_named_whichever_settled_first(first):
    run = after(Submitted(upstream=2))
    settled = [UpstreamSettled(0, UPSTREAM, usable=False), UpstreamSettled(1, OTHER_UPSTREAM, usable=False)]

    run.handle(settled[first], NOW)
    run.handle(settled[1 - first], NOW)

    assert str(UPSTREAM) in run.state.message


def test_an_attempt_that_starts_makes_the_run_running():
    assert after(Submitted()).handle(Started(1, "thread-1"), NOW) == (Record(Running()),)


def test_an_attempt_that_returns_completes_the_run_with_its_value():
    run = after(Submitted(), Started(1, "w"))

    assert run.handle(Returned(1, [1, 2]), NOW) == ended(Completed())
    assert run.state.data == [1, 2]
    assert run.state.at == NOW


def test_a_result_from_the_cache_completes_the_run_before_it_started():
    run = after(Submitted())

    assert run.handle(Returned(1, 3, cached=True), NOW) == ended(Completed(name="Cached"))
    assert run.state.data == 3


def test_a_final_state_that_a_task_returns_is_the_run_s_own():
    run = after(Submitted(), Started(1, "w"))
    made_by_hand = Failed("not good enough", name="Rejected", data=ERROR)

    assert run.handle(Returned(1, made_by_hand), NOW) == ended(made_by_hand)
    assert run.state.data is ERROR
    assert run.state.at == NOW


@pytest.mark.parametrize("retriable", [True, False])
def test_a_failed_state_that_a_task_returns_is_worth_another_attempt_like_an_exception(retriable):
    run = after(Submitted(), Started(1, "w"), retries=1)
    rejected = Failed("not good enough", name="Rejected", data=ERROR)

    commands = run.handle(Returned(1, rejected, retriable=retriable), NOW)

    assert commands == ((Record(AwaitingRetry()), RunAttempt(2)) if retriable else ended(rejected))


def test_a_task_that_returns_a_state_that_is_not_final_failed():
    run = after(Submitted(), Started(1, "w"))

    assert run.handle(Returned(1, Running()), NOW) == ended(Failed("1/1 states are not final."))
    assert isinstance(run.state.data, FailedRun)


def test_an_exception_fails_the_run():
    run = after(Submitted(), Started(1, "w"))

    assert run.handle(Raised(1, ERROR), NOW) == ended(FAILED)
    assert run.state.data is ERROR


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
        (SystemExit(1), "Execution was aborted by Python system exit call."),
        (asyncio.CancelledError(), "Execution was cancelled by the runtime environment."),
        (GeneratorExit("g"), "Execution was interrupted by an unexpected exception: GeneratorExit: g"),
        (CrashedRun("the result is gone"), "the result is gone"),
    ],
)
def test_what_is_no_mere_exception_crashes_the_run_and_is_not_retried(exception, message):
    run = after(Submitted(), Started(1, "w"), retries=3)

    assert run.handle(Raised(1, exception), NOW) == ended(Crashed(message))
    assert run.state.data is exception


def test_a_call_that_the_runner_refuses_fails_at_once_also_with_retries():
    run = after(Submitted(), retries=3)

    assert run.handle(Refused(1, "cannot be pickled", ERROR), NOW) == ended(Failed("cannot be pickled"))
    assert run.state.data is ERROR


def test_a_lost_attempt_crashes_the_run():
    run = after(Submitted(), Started(1, "w"))

    assert run.handle(Lost(1, "the worker died"), NOW) == ended(Crashed("the worker died"))
    assert isinstance(run.state.data, CrashedRun)
    assert str(run.state.data) == "the worker died"


def test_an_attempt_that_somebody_else_stopped_crashes_the_run():
    run = after(Submitted(), Started(1, "w"))

    assert run.handle(Stopped(1), NOW) == ended(Crashed("Execution was stopped from outside."))


# Retries


def test_a_retry_without_delay_follows_at_once():
    run = after(Submitted(), Started(1, "w"), retries=1)

    assert run.handle(Raised(1, ERROR), NOW) == (Record(AwaitingRetry()), RunAttempt(2))
    assert run.handle(Started(2, "w"), NOW) == (Record(Retrying()),)
    assert run.handle(Returned(2, "good"), NOW) == ended(Completed())


def test_a_retry_with_a_delay_waits_for_its_alarm():
    run = after(Submitted(), Started(1, "w"), retries=1, retry_delays=(2.5,))

    assert run.handle(Raised(1, ERROR), NOW) == (Record(AwaitingRetry()), SetAlarm(2.5, 2))
    assert run.handle(AlarmRang(2), NOW) == (RunAttempt(2),)
    assert run.attempt == 2


def test_each_retry_has_its_own_delay_and_the_last_one_repeats():
    run = after(Submitted(), retries=4, retry_delays=(1.0, 2.0))
    delays = []

    for attempt in (1, 2, 3, 4):
        run.handle(Started(attempt, "w"), NOW)
        delays += [c.delay for c in run.handle(Raised(attempt, ERROR), NOW) if isinstance(c, SetAlarm)]
        run.handle(AlarmRang(attempt + 1), NOW)

    assert delays == [1.0, 2.0, 2.0, 2.0]


def test_jitter_stretches_a_delay_by_its_fraction_of_the_factor():
    run = after(Submitted(), Started(1, "w"), retries=1, retry_delays=(10.0,), retry_jitter_factor=0.2)

    assert run.handle(Raised(1, ERROR), NOW) == (Record(AwaitingRetry()), SetAlarm(11.0, 2))


def test_chance_is_asked_for_jitter_alone_and_once_for_each_failed_attempt():
    asked = []

    def fraction(attempt):
        asked.append(attempt)
        return 0.0

    for factor in (0.0, 0.5):
        policy = RunPolicy(retries=1, retry_delays=(1.0,), retry_jitter_factor=factor)
        run = TaskRunLifecycle(policy, fraction)
        for event in (Submitted(), Started(1, "w"), Raised(1, ERROR), AlarmRang(2), Raised(2, ERROR)):
            run.handle(event, NOW)

    assert asked == [1]


def test_a_run_fails_when_its_retries_are_used_up():
    run = after(Submitted(), Started(1, "w"), Raised(1, ERROR), Started(2, "w"), retries=1)

    assert run.handle(Raised(2, ERROR), NOW) == ended(FAILED)


def test_an_exception_that_is_not_worth_a_retry_fails_the_run():
    run = after(Submitted(), Started(1, "w"), retries=3)

    assert run.handle(Raised(1, ERROR, retriable=False), NOW) == ended(FAILED)


def test_a_lost_attempt_is_made_again_where_there_are_retries():
    run = after(Submitted(), Started(1, "w"), retries=1)

    assert run.handle(Lost(1, "the worker died"), NOW) == (
        Record(AwaitingRetry("the worker died")),
        RunAttempt(2),
    )


@pytest.mark.parametrize("report", [Raised(1, ERROR), Lost(1, "the worker died"), Stopped(1)])
def test_an_attempt_that_ends_before_it_started_is_made_again_too(report):
    run = after(Submitted(), retries=2)

    assert run.handle(report, NOW)[-1] == RunAttempt(2)
    assert run.handle(Raised(2, ERROR), NOW) == (Record(AwaitingRetry()), RunAttempt(3))
    assert run.handle(Started(3, "w"), NOW) == (Record(Retrying()),)


@pytest.mark.parametrize(
    ("report", "state"),
    [(Raised(1, ERROR), FAILED), (Lost(1, "the worker died"), Crashed("the worker died"))],
)
def test_an_attempt_may_end_the_run_before_it_started(report, state):
    assert after(Submitted()).handle(report, NOW) == ended(state)


# Timeouts


def test_the_time_of_an_attempt_counts_from_its_start():
    run = after(Submitted(), timeout=3.0)

    assert run.handle(Started(1, "w"), NOW) == (Record(Running()), SetAlarm(3.0, 1))


def test_an_attempt_that_takes_too_long_is_stopped_and_fails_the_run():
    run = after(Submitted(), Started(1, "w"), timeout=3.0)

    message = "Task run exceeded timeout of 3.0 second(s)."
    assert run.handle(AlarmRang(1), NOW) == (StopAttempt(1), *ended(Failed(message, name="TimedOut")))
    assert isinstance(run.state.data, TimeoutError)
    assert run.handle(Stopped(1), NOW) == ()


def test_an_attempt_that_takes_too_long_is_retried_like_one_that_failed():
    run = after(Submitted(), Started(1, "w"), timeout=3.0, retries=1)

    assert run.handle(AlarmRang(1), NOW) == (
        StopAttempt(1),
        Record(AwaitingRetry("Task run exceeded timeout of 3.0 second(s).")),
        RunAttempt(2),
    )
    assert run.handle(Started(2, "w"), NOW) == (Record(Retrying()), SetAlarm(3.0, 2))


@pytest.mark.parametrize("report", [Returned(1, None), Raised(1, ERROR), Lost(1, "died"), Stopped(1)])
def test_the_alarm_of_an_attempt_that_ends_in_time_is_cleared(report):
    run = after(Submitted(), Started(1, "w"), timeout=3.0)

    assert run.handle(report, NOW)[0] == ClearAlarm()


def test_the_alarm_of_a_failed_attempt_is_cleared_before_that_of_the_retry_is_set():
    run = after(Submitted(), Started(1, "w"), timeout=3.0, retries=1, retry_delays=(2.0,))

    assert run.handle(Raised(1, ERROR), NOW) == (ClearAlarm(), Record(AwaitingRetry()), SetAlarm(2.0, 2))


def test_the_alarm_of_a_timeout_that_rings_late_does_not_cut_the_delay_of_a_retry_short():
    run = after(Submitted(), Started(1, "w"), Raised(1, ERROR), timeout=3.0, retries=1, retry_delays=(60.0,))

    assert run.handle(AlarmRang(1), NOW) == ()
    assert run.handle(AlarmRang(2), NOW) == (RunAttempt(2),)


def test_an_alarm_that_rings_twice_is_heard_once():
    run = after(Submitted(), Started(1, "w"), Raised(1, ERROR), retries=1, retry_delays=(1.0,))

    assert run.handle(AlarmRang(2), NOW) == (RunAttempt(2),)
    assert run.handle(AlarmRang(2), NOW) == ()
    assert run.handle(Started(2, "w"), NOW) == (Record(Retrying()),)
    assert run.handle(AlarmRang(2), NOW) == ()


# Cancelling


def test_a_run_that_waits_for_upstream_is_cancelled_at_once():
    run = after(Submitted(upstream=1))

    assert run.handle(CancelRequested(), NOW) == ended(CANCELLED)
    assert isinstance(run.state.data, CancelledRun)
    assert run.handle(UpstreamSettled(0, UPSTREAM, usable=True), NOW) == ()


def test_a_run_whose_attempt_has_not_started_is_cancelled_at_once_and_the_attempt_stopped():
    run = after(Submitted())

    assert run.handle(CancelRequested(), NOW) == (StopAttempt(1), *ended(CANCELLED))
    assert run.handle(Started(1, "w"), NOW) == ()
    assert not run.awaits(1)


def test_a_run_that_waits_for_a_retry_is_cancelled_at_once_and_its_alarm_cleared():
    run = after(Submitted(), Started(1, "w"), Raised(1, ERROR), retries=1, retry_delays=(9.0,))

    assert run.handle(CancelRequested(), NOW) == (ClearAlarm(), *ended(CANCELLED))
    assert run.handle(AlarmRang(2), NOW) == ()


def test_a_running_attempt_is_told_to_stop_and_the_run_is_cancelled_when_it_has():
    run = after(Submitted(), Started(1, "w"), timeout=3.0)

    assert run.handle(CancelRequested(), NOW) == (ClearAlarm(), Record(Cancelling()), StopAttempt(1))
    assert run.handle(Stopped(1), NOW) == ended(CANCELLED)


@pytest.mark.parametrize(
    "report",
    [
        Stopped(1),
        Returned(1, "too late"),
        Raised(1, ERROR),
        Raised(1, asyncio.CancelledError()),
        Refused(1, "the result cannot be pickled", ERROR),
    ],
)
def test_however_an_attempt_ends_that_was_told_to_stop_the_run_is_cancelled(report):
    run = after(Submitted(), Started(1, "w"), CancelRequested(), retries=3)

    assert run.handle(report, NOW) == ended(CANCELLED)


def test_an_attempt_that_is_lost_while_it_is_cancelled_crashes_the_run_and_is_not_retried():
    run = after(Submitted(), Started(1, "w"), CancelRequested(), retries=3)

    assert run.handle(Lost(1, "it did not stop"), NOW) == ended(Crashed("it did not stop"))


def test_cancelling_twice_is_cancelling_once():
    run = after(Submitted(), Started(1, "w"), CancelRequested())

    assert run.handle(CancelRequested(), NOW) == ()


@pytest.mark.parametrize(
    "events",
    [
        [Submitted(), Started(1, "w"), Returned(1, 1)],
        [Submitted(), Started(1, "w"), Raised(1, ERROR)],
        [Submitted(), Started(1, "w"), Lost(1, "died")],
        [Submitted(), CancelRequested()],
        [Submitted(upstream=1), UpstreamSettled(0, UPSTREAM, usable=False)],
    ],
)
def test_nothing_happens_to_a_run_that_has_settled(events):
    run = after(*events)
    last = run.state

    for event in (
        CancelRequested(),
        Started(1, "w"),
        Returned(1, 2),
        Raised(1, ERROR),
        Refused(1, "no", ERROR),
        Lost(1, "died"),
        Stopped(1),
        AlarmRang(1),
        AlarmRang(2),
    ):
        assert run.handle(event, NOW) == ()
    assert run.state is last


# Reports that come late, twice, or of another attempt


REPORTS = [Started, Returned, Raised, Refused, Lost, Stopped, AlarmRang]


def report_of(kind, attempt):
    more = {
        Started: ["w"],
        Returned: ["value"],
        Raised: [ERROR],
        Refused: ["no", ERROR],
        Lost: ["died"],
        Stopped: [],
        AlarmRang: [],
    }
    return kind(attempt, *more[kind])


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_a_report_of_another_attempt_than_the_current_one_is_dropped(kind, attempt):
    events = (Submitted(), Started(1, "w"), Raised(1, ERROR), Started(2, "w"))
    run = after(*events, retries=3, timeout=9.0)

    assert run.handle(report_of(kind, attempt), NOW) == ()
    assert not run.awaits(attempt)
    assert run.handle(Returned(2, "good"), NOW)[-1] == Settle(Completed())


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_that_comes_while_the_run_waits_for_a_retry_is_dropped(kind):
    run = after(Submitted(), Started(1, "w"), Raised(1, ERROR), retries=1, retry_delays=(1.0,))

    assert run.handle(report_of(kind, 1), NOW) == ()
    assert not run.awaits(1)
    assert run.state.name == "AwaitingRetry"


def test_an_attempt_that_says_twice_that_it_started_is_heard_once():
    run = after(Submitted(), Started(1, "w"), timeout=3.0)

    assert run.handle(Started(1, "elsewhere"), NOW) == ()


def test_an_attempt_is_awaited_from_its_request_until_its_end():
    run = lifecycle()

    assert not run.awaits(1)
    run.handle(Submitted(), NOW)
    assert run.awaits(1)
    run.handle(Started(1, "w"), NOW)
    assert run.awaits(1)
    run.handle(Returned(1, None), NOW)
    assert not run.awaits(1)


# What cannot happen


@pytest.mark.parametrize(
    "event", [CancelRequested(), AlarmRang(1), *(report_of(kind, 1) for kind in REPORTS)]
)
def test_nothing_can_be_reported_of_a_run_before_it_is_submitted(event):
    run = lifecycle()

    assert run.handle(event, NOW) == ()
    assert run.state is None


def test_a_run_cannot_be_submitted_twice():
    run = after(Submitted())

    with pytest.raises(IllegalTransition, match="Submitted cannot happen while Pending"):
        run.handle(Submitted(), NOW)


def test_no_more_upstream_can_settle_than_there_is():
    run = after(Submitted(upstream=1), UpstreamSettled(0, UPSTREAM, usable=True))

    with pytest.raises(IllegalTransition, match="no upstream is left"):
        run.handle(UpstreamSettled(1, UPSTREAM, usable=True), NOW)
