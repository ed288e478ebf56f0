"""Retries of tasks and of flows, and time that runs out."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from pytest_flows.assertions import assert_history
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate, Ledger
from pytest_flows.suite.tasks import add, add_async, pass_through, pass_through_async, write
from runtime import State, flow, get_run_context, task
from runtime.states import Failed
from runtime.task_runners import BaseTaskRunner


@task(retries=2)
def succeed_at(attempt: int, ledger: Ledger) -> int:
    """Fails until it is the given attempt."""
    context: Any = get_run_context()
    now: int = context.attempt
    ledger.write(now)
    if now < attempt:
        raise ValueError(f"attempt {now}")
    return now


def _only_lucky(task: object, task_run: object, state: State) -> bool:
    return "lucky" in str(state.result(raise_on_failure=False))


@task(retries=2, retry_condition_fn=_only_lucky)
def fail_with(message: str) -> None:
    """Worth another attempt only when lucky."""
    raise ValueError(message)


@task(timeout_seconds=0.2)
def spin() -> None:
    """Never waits and never ends, if nobody stops it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        pass


@task(retries=2, retry_condition_fn=_only_lucky)
def reject_with(message: str) -> State:
    """Says that it failed, and does not raise."""
    return Failed(message, data=ValueError(message))


class RetryTests(SuiteBase):
    """Another attempt after a failure."""

    def test_a_task_is_tried_again_until_it_succeeds(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> int:
            return succeed_at.submit(3, ledger).result()

        observed = observe(retries)

        assert observed.result == 3
        assert ledger.lines == ["1", "2", "3"]
        assert_history(
            observed.history["succeed_at-0"],
            *("Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"),
        )

    def test_a_task_is_tried_as_often_as_it_says_and_no_more(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> None:
            succeed_at.with_options(retries=1).submit(9, ledger)

        observed = observe(retries)

        assert ledger.lines == ["1", "2"]
        assert_history(
            observed.history["succeed_at-0"], "Pending", "Running", "AwaitingRetry", "Retrying", "Failed"
        )
        with pytest.raises(ValueError, match="attempt 2"):
            observed.state.result()

    def test_a_task_that_is_called_is_tried_again_too(
        self, task_runner: BaseTaskRunner, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> int:
            return succeed_at(3, ledger)

        assert retries() == 3
        assert ledger.lines == ["1", "2", "3"]

    def test_a_retry_waits_for_its_delay(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> None:
            succeed_at.with_options(retry_delay_seconds=[0.02, 0.05]).submit(3, ledger)

        changes = list(observe(retries).history["succeed_at-0"])

        waits = [
            after.elapsed - before.elapsed
            for before, after in pairwise(changes)
            if before.state.name == "AwaitingRetry"
        ]
        assert [waited >= delay for waited, delay in zip(waits, [0.02, 0.05], strict=True)] == [True, True]

    def test_a_retry_that_waits_holds_no_slot(
        self, task_runner: BaseTaskRunner, in_line: bool, ledger: Ledger
    ) -> None:
        waiting = succeed_at.with_options(retry_delay_seconds=0 if in_line else 0.1)

        @flow(task_runner=task_runner)
        def retries() -> list[Any]:
            troubled = [waiting.submit(2, ledger) for _ in range(50)]
            write.submit(ledger, "other").result()
            before = ledger.lines.index("other")
            return [before, *(future.result() for future in troubled)]

        before, *results = retries()

        assert results == [2] * 50
        assert before <= 100

    def test_the_condition_decides_whether_another_attempt_is_worthwhile(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> None:
            fail_with.submit("lucky")
            fail_with.submit("hopeless")

        history = observe(retries).history

        assert history["fail_with-0"].names.count("Retrying") == 2
        assert_history(history["fail_with-1"], "Pending", "Running", "Failed")

    def test_a_failed_state_that_a_task_returns_is_tried_again_like_an_exception(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def retries() -> None:
            reject_with.submit("lucky")
            reject_with.submit("hopeless")

        history = observe(retries).history

        assert history["reject_with-0"].names.count("Retrying") == 2
        assert_history(history["reject_with-1"], "Pending", "Running", "Failed")

    def test_downstream_waits_for_an_attempt_after_a_failed_state(
        self, task_runner: BaseTaskRunner, ledger: Ledger
    ) -> None:
        @task(retries=1)
        def reject_once(ledger: Ledger) -> State | int:
            ledger.write("tried")
            return Failed("not yet") if len(ledger.lines) == 1 else 3

        @flow(task_runner=task_runner)
        def retries() -> int:
            return add.submit(reject_once.submit(ledger), 1).result()

        assert retries() == 4

    def test_downstream_waits_for_the_last_attempt(self, task_runner: BaseTaskRunner, ledger: Ledger) -> None:
        @flow(task_runner=task_runner)
        def retries() -> int:
            return add.submit(succeed_at.submit(3, ledger), 1).result()

        assert retries() == 4

    def test_a_flow_that_is_tried_again_keeps_what_completed(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @task
        def fail_once(ledger: Ledger) -> str:
            ledger.write("fragile")
            if ledger.lines.count("fragile") == 1:
                raise ValueError("first time")
            return "second time"

        @flow(task_runner=task_runner, retries=1)
        def retries() -> list[Any]:
            solid = write.submit(ledger, "solid")
            return [solid.result(), fail_once.submit(ledger).result()]

        observed = observe(retries)

        assert observed.result == ["solid", "second time"]
        assert sorted(ledger.lines) == ["fragile", "fragile", "solid"]
        assert_history(observed.history, "Pending", "Running", "AwaitingRetry", "Retrying", "Completed")
        assert_history(observed.history["write-0"], "Pending", "Running", "Completed")
        fragile = observed.history["fail_once-0"]
        assert [(change.state.name, change.run_count) for change in fragile] == [
            *(("Pending", 1), ("Running", 1), ("Failed", 1)),
            *(("Pending", 2), ("Running", 2), ("Completed", 2)),
        ]

    def test_a_subflow_that_failed_keeps_what_completed_when_the_flow_around_is_tried_again(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def within() -> str:
            solid = write.submit(ledger, "solid").result()
            ledger.write("fragile")
            if ledger.lines.count("fragile") == 1:
                raise ValueError("first time")
            return str(solid)

        @flow(task_runner=task_runner, retries=1)
        def retries() -> str:
            return within()

        observed = observe(retries)

        assert observed.result == "solid"
        assert ledger.lines == ["solid", "fragile", "fragile"]
        assert_history(observed.history["within-0/write-0"], "Pending", "Running", "Completed")
        assert_history(
            observed.history["within-0"],
            *("Pending", "Running", "Failed"),
            *("Pending", "Running", "Completed"),
        )

    def test_what_an_async_flow_kept_is_awaited_like_anything_else(
        self, task_runner: BaseTaskRunner, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner, retries=1)
        async def again() -> int:
            total: int = await add_async.submit(1, 2).result()
            ledger.write(total)
            if len(ledger.lines) == 1:
                raise ConnectionError
            return total

        assert asyncio.run(again()) == 3
        assert ledger.lines == ["3", "3"]


class TimeoutTests(SuiteBase):
    """Attempts that take too long."""

    @pytest.mark.parametrize("submitted", [pass_through, pass_through_async], ids=["sync", "async"])
    def test_a_task_that_takes_too_long_has_timed_out(
        self, task_runner: BaseTaskRunner, observe: Observe, gate: Gate, submitted: Any
    ) -> None:
        @flow(task_runner=task_runner)
        def waits() -> str:
            return str(submitted.with_options(timeout_seconds=0.2).submit(gate).wait())

        observed = observe(waits)

        message = "Task run exceeded timeout of 0.2 second(s)."
        assert observed.result == f"TimedOut(message={message!r}, type=FAILED)"
        assert_history(observed.history[f"{submitted.name}-0"], "Pending", "Running", "TimedOut")

    def test_an_async_flow_times_out_its_async_tasks(self, task_runner: BaseTaskRunner, gate: Gate) -> None:
        @flow(task_runner=task_runner)
        async def waits() -> str:
            state = await pass_through_async.with_options(timeout_seconds=0.2).submit(gate).wait_async()
            return state.name if state else "no state"

        assert asyncio.run(waits()) == "TimedOut"

    def test_a_task_that_is_called_times_out_too(self, task_runner: BaseTaskRunner, gate: Gate) -> None:
        @flow(task_runner=task_runner)
        def waits() -> str:
            with pytest.raises(TimeoutError, match="exceeded timeout"):
                pass_through.with_options(timeout_seconds=0.2)(gate)
            return "went on"

        assert waits() == "went on"

    def test_a_loop_in_python_is_stopped(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def waits() -> list[Any]:
            spinning = [spin.submit() for _ in range(3)]
            return [*(future.wait().name for future in spinning), add.submit(1, 2).result()]

        assert observe(waits).result == ["TimedOut", "TimedOut", "TimedOut", 3]

    def test_each_attempt_has_its_own_time(
        self, task_runner: BaseTaskRunner, observe: Observe, gate: Gate
    ) -> None:
        @flow(task_runner=task_runner)
        def waits() -> None:
            pass_through.with_options(timeout_seconds=0.1, retries=1).submit(gate)

        history = observe(waits).history

        assert_history(
            history["pass_through-0"], "Pending", "Running", "AwaitingRetry", "Retrying", "TimedOut"
        )

    def test_a_task_that_ends_in_time_is_left_alone(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def waits() -> int:
            return add.with_options(timeout_seconds=60).submit(1, 2).result()

        assert waits() == 3

    def test_a_flow_that_takes_too_long_takes_its_tasks_along(
        self, task_runner: BaseTaskRunner, observe: Observe, gate: Gate
    ) -> None:
        @flow(task_runner=task_runner, timeout_seconds=0.5)
        def waits() -> None:
            pass_through.submit(gate).result()

        observed = observe(waits)

        assert str(observed.state) == (
            "TimedOut(message='Flow run exceeded timeout of 0.5 second(s).', type=FAILED)"
        )
        assert observed.history["pass_through-0"].final is not None
