"""What futures say, and waiting for them."""

import asyncio
import time
from typing import Any

import pytest

from pytest_flows.assertions import assert_history
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate, Ledger, known
from pytest_flows.suite.tasks import (
    add,
    add_async,
    call_async,
    fail,
    pass_through,
    pass_through_async,
    same_async,
    write,
)
from runtime import flow
from runtime.futures import PrefectFuture, as_completed, wait, wait_async
from runtime.task_runners import BaseTaskRunner


class FutureTests(SuiteBase):
    """Futures of submitted tasks."""

    def test_result_raises_what_the_task_raised_or_returns_it(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def asks() -> str:
            future = fail.submit("bad luck")
            with pytest.raises(ValueError, match="bad luck"):
                future.result()
            return repr(future.result(raise_on_failure=False))

        assert asks() == "ValueError('bad luck')"

    def test_submit_does_not_wait_unless_the_runner_is_sequential(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def submits() -> list[bool]:
            future = pass_through.submit(gate)
            ended = [future.get_state().is_final()]
            gate.open()
            future.wait()
            return [*ended, future.get_state().is_final()]

        assert submits() == [in_line, True]

    def test_result_with_a_timeout_raises_in_time(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def asks() -> list[Any]:
            future = pass_through.submit(gate, 1)
            if in_line:
                return ["in time", future.result(timeout=0)]
            began = time.monotonic()
            with pytest.raises(TimeoutError, match=r"has no result after 0\.05"):
                future.result(timeout=0.05)
            took = time.monotonic() - began
            gate.open()
            return ["in time" if 0.05 <= took < 5 else f"after {took} s", future.result(timeout=30)]

        assert asks() == ["in time", 1]

    def test_wait_returns_the_final_state_or_nothing_when_time_is_up(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def waits() -> list[Any]:
            future = pass_through.submit(gate)
            early = future.wait(0.01)
            gate.open()
            return [early is not None, future.wait().name, future.wait(0).name]

        assert waits() == [in_line, "Completed", "Completed"]

    def test_futures_can_be_awaited_in_every_async_flow(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def awaits() -> list[Any]:
            futures = [add.submit(1, 2), add_async.submit(3, 4)]
            states = [await future.wait_async() for future in futures]
            return [state.name for state in states if state] + [await f.result_async() for f in futures]

        assert asyncio.run(awaits()) == ["Completed", "Completed", 3, 7]

    def test_awaiting_with_a_timeout_ends_in_time(self, task_runner: BaseTaskRunner, gate: Gate) -> None:
        @flow(task_runner=task_runner)
        async def awaits() -> Any:
            future = pass_through_async.submit(gate, 1)
            with pytest.raises(TimeoutError):
                await future.result_async(timeout=0.05)
            early = await future.wait_async(0.01)
            gate.open()
            return early, await future.result_async()

        assert asyncio.run(awaits()) == (None, 1)

    def test_as_completed_yields_futures_as_they_settle(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def waits() -> list[Any]:
            results: list[Any] = []
            for future in as_completed([pass_through.submit(gate, "slow"), add.submit(1, 2)]):
                results.append(future.result())
                gate.open()
            return results

        assert waits() == (["slow", 3] if in_line else [3, "slow"])

    def test_as_completed_works_in_async_flows(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        async def waits() -> list[Any]:
            results: list[Any] = []
            async for future in as_completed([pass_through_async.submit(gate, "slow"), add.submit(1, 2)]):
                results.append(await future.result_async())
                gate.open()
            return results

        assert asyncio.run(waits()) == (["slow", 3] if in_line else [3, "slow"])

    def test_wait_tells_what_is_done_and_what_is_not(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def waits() -> list[Any]:
            quick, slow = add.submit(1, 2), pass_through.submit(gate)
            quick.wait()
            early = wait([quick, slow], timeout=0.01)
            gate.open()
            late = wait([quick, slow])
            return [early.done == [quick], early.not_done == [slow], late.done == [quick, slow]]

        assert waits() == ([False, False, True] if in_line else [True, True, True])

    def test_many_futures_can_be_awaited_together(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def awaits() -> int:
            return len((await wait_async([add_async.submit(n, n) for n in range(5)])).done)

        assert asyncio.run(awaits()) == 5

    def test_callbacks_hear_of_the_end_and_of_one_that_is_past(self, task_runner: BaseTaskRunner) -> None:
        heard: list[str] = []

        @flow(task_runner=task_runner)
        def listens() -> None:
            future = add.submit(1, 2)
            future.add_done_callback(lambda f: heard.append(f.get_state().name))
            future.wait()
            future.add_done_callback(lambda f: heard.append(f.task_run.short_name))

        listens()

        assert heard == ["Completed", "add-0"]

    def test_futures_compare_by_run_and_tell_of_it(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def compares() -> list[bool]:
            one, other = add.submit(1, 2), add.submit(1, 2)
            one.wait()
            telling = repr(one) == f"PrefectFuture('{one.task_run.name}', Completed)"
            return [one == one, one != other, len({one, other, one}) == 2, telling]

        assert compares() == [True] * 4

    def test_the_truth_of_a_future_comes_with_a_warning(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def asks() -> bool:
            with pytest.warns(UserWarning, match="always true"):
                return bool(add.submit(0, 0))

        assert asks()


class CancellationTests(SuiteBase):
    """Cancelling tasks that wait, run, or are over."""

    def test_a_task_cancelled_while_it_waits_never_runs(
        self, task_runner: BaseTaskRunner, in_line: bool, observe: Observe, gate: Gate, ledger: Ledger
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def cancels() -> str:
            waiting: PrefectFuture[Any] = write.submit(ledger, "ran", pass_through.submit(gate))
            waiting.cancel()
            gate.open()
            return waiting.wait().name

        observed = observe(cancels)

        if in_line:
            assert (observed.result, ledger.lines) == ("Completed", ["ran"])
        else:
            assert (observed.result, ledger.lines) == ("Cancelled", [])
            assert_history(observed.history["write-0"], "Pending", "Cancelled")

    def test_a_running_task_is_cancelled_where_the_runner_can_stop_it(
        self, task_runner: BaseTaskRunner, observe: Observe, gate: Gate, other_gate: Gate
    ) -> None:
        async def blocks() -> None:
            gate.open()
            await other_gate.wait_async()

        @flow(task_runner=task_runner)
        async def cancels() -> str:
            future = call_async.submit(blocks)
            await gate.wait_async()
            await known(lambda: future.get_state().is_running())
            future.cancel()
            state = await future.wait_async(20)
            return state.name if state else "still there"

        observed = observe(cancels)

        assert observed.result == "Cancelled"
        assert_history(observed.history["call_async-0"], "Pending", "Running", "Cancelling", "Cancelled")

    def test_cancelling_what_is_over_changes_nothing(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def cancels() -> int:
            future = add.submit(1, 2)
            future.wait()
            future.cancel()
            return future.result()

        observed = observe(cancels)

        assert observed.result == 3
        assert_history(observed.history["add-0"], "Pending", "Running", "Completed")

    def test_downstream_of_a_cancelled_task_is_not_ready(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        async def cancels() -> None:
            gone = same_async.submit(1)
            gone.cancel()
            same_async.submit(gone)

        history = observe(cancels).history

        assert history["same_async-0"].names[-1] == "Cancelled"
        assert history["same_async-1"].names == ["Pending", "NotReady"]
