"""Calling and submitting tasks, mapping them, and flows in flows."""

import asyncio
import os
import threading
from collections.abc import Generator
from typing import Any

import pytest

from pytest_flows.assertions import assert_history, assert_ran_before
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate
from pytest_flows.suite.tasks import add, add_async, fail, same, same_async
from runtime import State, allow_failure, flow, task, unmapped
from runtime.exceptions import MappingLengthMismatch, MappingMissingIterable, WouldDeadlock
from runtime.futures import PrefectFuture
from runtime.task_runners import BaseTaskRunner, SequentialTaskRunner


class CallTests(SuiteBase):
    """A task called, submitted and mapped; a flow in a flow."""

    def test_a_flow_returns_the_result_of_a_submitted_task(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def adds() -> int:
            return add.submit(1, 2).result()

        assert adds() == 3

    def test_a_submitted_task_goes_through_pending_running_and_completed(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def adds() -> None:
            add.submit(1, 2)

        history = observe(adds).history

        assert_history(history["add-0"], "Pending", "Running", "Completed")
        assert_history(history, "Pending", "Running", "Completed")

    def test_a_history_says_where_a_task_ran(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def adds() -> None:
            add.submit(1, 2)

        running = observe(adds).history["add-0"][1]

        assert running.worker

    def test_submit_returns_a_future(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def submits() -> object:
            return type(add.submit(1, 2))

        assert submits() is PrefectFuture

    def test_submit_with_return_state_waits_and_returns_the_state(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def submits() -> list[State]:
            return [add.submit(1, 2, return_state=True), fail.submit(return_state=True)]

        completed, failed = submits(return_state=True).data

        assert completed.is_completed()
        assert completed.result() == 3
        assert failed.is_failed()

    def test_a_task_that_is_called_runs_where_the_flow_runs(self, task_runner: BaseTaskRunner) -> None:
        @task
        def place() -> tuple[int, int]:
            return os.getpid(), threading.get_ident()

        @flow(task_runner=task_runner)
        def calls() -> list[tuple[int, int]]:
            return [place(), place.fn()]

        called, own = calls()

        assert called == own

    def test_a_task_that_is_called_has_a_history_too(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def calls() -> int:
            return add(1, 2)

        observed = observe(calls)

        assert observed.result == 3
        assert_history(observed.history["add-0"], "Pending", "Running", "Completed")

    def test_a_task_that_is_called_raises_in_the_flow(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def calls() -> str:
            try:
                fail("out of luck")
            except ValueError as error:
                return str(error)
            return "no exception"

        assert calls() == "out of luck"

    def test_a_sync_flow_runs_async_tasks(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def mixes() -> list[Any]:
            return [add_async.submit(1, 2).result(), add_async(3, 4)]

        assert mixes() == [3, 7]

    def test_an_async_flow_runs_sync_tasks(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def mixes() -> list[int]:
            return [add.submit(1, 2).result(), await add.submit(3, 4).result_async(), add(5, 6)]

        assert asyncio.run(mixes()) == [3, 7, 11]

    def test_an_async_flow_awaits_the_results_of_async_tasks(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def awaits() -> list[Any]:
            future = add_async.submit(1, 2)
            state = await future.wait()
            return [await future.result(), state.name, await add_async(3, 4)]

        assert asyncio.run(awaits()) == [3, "Completed", 7]

    def test_submit_may_be_awaited(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def awaits() -> int:
            future = await add_async.submit(1, 2)
            return await future.result_async()

        assert asyncio.run(awaits()) == 3

    def test_blocking_an_event_loop_works_or_is_an_error_at_once(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        async def blocks() -> int:
            future = same.submit(same_async.submit(1))
            try:
                return future.result()
            except WouldDeadlock:
                return await future.result_async()

        assert asyncio.run(blocks()) == 1

    def test_map_submits_a_run_for_each_element(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[int]:
            return [future.result() for future in add.map([1, 2, 3], [10, 20, 30])]

        observed = observe(maps)

        assert observed.result == [11, 22, 33]
        assert [run.short_name for run in observed.history.task_runs] == ["add-0", "add-1", "add-2"]

    def test_map_repeats_what_is_not_iterable_or_unmapped(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[Any]:
            repeated = add.map([1, 2], y=10)
            pairs = add.map([[1], [2]], unmapped([9]))
            return [[future.result() for future in repeated], [future.result() for future in pairs]]

        assert maps() == [[11, 12], [[1, 9], [2, 9]]]

    def test_map_takes_futures_of_lists(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[int]:
            numbers = same.submit([1, 2, 3])
            return [future.result() for future in add.map(numbers, 1)]

        assert maps() == [2, 3, 4]

    def test_map_takes_futures_as_elements(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[int]:
            return [future.result() for future in add.map(add.map([1, 2], 1), 1)]

        observed = observe(maps)

        assert observed.result == [3, 4]
        assert_ran_before(observed.history, "add-1", "add-3")

    def test_map_wants_iterables_of_one_length(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> None:
            with pytest.raises(MappingLengthMismatch):
                add.map([1, 2], [1, 2, 3])
            with pytest.raises(MappingMissingIterable):
                add.map(1, 2)

        assert maps(return_state=True).is_completed()

    def test_map_with_return_state_waits_for_all(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[State]:
            return add.map([1, 2], 1, return_state=True)

        assert [state.result() for state in maps(return_state=True).data] == [2, 3]

    def test_map_allows_the_failure_of_each_element(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> list[str]:
            troubled = same.map(allow_failure([add.submit(1, 1), fail.submit()]))
            return [repr(future.result()) for future in troubled]

        assert maps() == ["2", "ValueError('no luck')"]

    def test_a_generator_among_the_arguments_becomes_a_list(self, task_runner: BaseTaskRunner) -> None:
        def numbers() -> Generator[int]:
            yield from range(3)

        @flow(task_runner=task_runner)
        def submits() -> list[int]:
            return same.submit(numbers()).result()

        assert submits() == [0, 1, 2]


class SubflowTests(SuiteBase):
    """A flow called in a flow has its own runner."""

    def test_a_subflow_runs_its_tasks_on_its_own_runner(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def inner(x: int) -> int:
            return add.submit(x, 1).result()

        @flow(task_runner=SequentialTaskRunner())
        def outer() -> int:
            return add.submit(inner(1), 1).result()

        observed = observe(outer)

        assert observed.result == 3
        assert_history(observed.history["inner/add-0"], "Pending", "Running", "Completed")
        assert_ran_before(observed.history, "inner/add-0", "add-0")

    def test_a_subflow_gets_the_value_of_a_future(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=SequentialTaskRunner())
        def inner(x: Any) -> int:
            return x + 1

        @flow(task_runner=task_runner)
        def outer() -> int:
            return inner(add.submit(1, 1))

        assert outer() == 3

    def test_flows_in_a_task_group_run_at_the_same_time(
        self, task_runner: BaseTaskRunner, gate: Gate, other_gate: Gate
    ) -> None:
        @flow(task_runner=task_runner)
        async def inner(mine: Gate, theirs: Gate) -> int:
            mine.open()
            await theirs.wait_async()
            return await add_async.submit(1, 2).result_async()

        @flow(task_runner=SequentialTaskRunner())
        async def outer() -> list[int]:
            async with asyncio.TaskGroup() as group:
                one = group.create_task(inner(gate, other_gate))
                other = group.create_task(inner(other_gate, gate))
            return [one.result(), other.result()]

        assert asyncio.run(outer()) == [3, 3]

    def test_a_failed_subflow_raises_where_it_is_called(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def inner() -> None:
            fail.submit()

        @flow(task_runner=SequentialTaskRunner())
        def outer() -> str:
            with pytest.raises(ValueError, match="no luck"):
                inner()
            return inner(return_state=True).name

        assert outer() == "Failed"
