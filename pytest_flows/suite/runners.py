"""The runner itself: starting, copying, how much at once, and many tasks."""

import pickle
from contextvars import copy_context
from typing import Any
from uuid import uuid4

import pytest

from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate, Ledger
from pytest_flows.suite.tasks import add, add_async, meet, meet_async, write
from runtime import flow
from runtime.context import current_environment
from runtime.envelope import Attempt
from runtime.futures import PrefectFuture
from runtime.parameters import CallSignature
from runtime.policies import RunPolicy
from runtime.runs import TaskCall, TaskDefinition, TaskRun
from runtime.task_runners import BaseTaskRunner


class RunnerTests(SuiteBase):
    """What a runner is."""

    def test_it_starts_once_at_a_time(self, task_runner: BaseTaskRunner) -> None:
        with task_runner.start(), pytest.raises(RuntimeError, match="started already"), task_runner.start():
            pass

    def test_it_can_be_started_again_when_it_was_closed(self, task_runner: BaseTaskRunner) -> None:
        with task_runner.start():
            pass
        with task_runner.start() as again:
            assert again is task_runner

    def test_it_takes_nothing_before_it_is_started_or_after_it_was_closed(
        self, task_runner: BaseTaskRunner
    ) -> None:
        with pytest.raises(RuntimeError):
            task_runner.submit(_attempt())
        with task_runner.start():
            pass
        with pytest.raises(RuntimeError):
            task_runner.submit(_attempt())

    def test_a_duplicate_is_equal_and_not_started(self, task_runner: BaseTaskRunner) -> None:
        with task_runner.start():
            duplicate = task_runner.duplicate()

            assert duplicate is not task_runner
            assert duplicate == task_runner
            with pytest.raises(RuntimeError):
                duplicate.submit(_attempt())

    def test_it_can_be_pickled_while_it_is_started(self, task_runner: BaseTaskRunner) -> None:
        with task_runner.start():
            copy = pickle.loads(pickle.dumps(task_runner))

        assert copy == task_runner
        assert copy.concurrency_type is task_runner.concurrency_type

    def test_many_flow_runs_may_declare_the_same_one(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def adds(x: int) -> int:
            return add.submit(x, 1).result()

        assert [adds(n) for n in range(3)] == [1, 2, 3]


class ConcurrencyTests(SuiteBase):
    """How much happens at once, and how much there may be."""

    @pytest.mark.parametrize("task", [meet, meet_async], ids=["sync", "async"])
    def test_tasks_run_at_the_same_time_unless_the_runner_is_sequential(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate, other_gate: Gate, task: Any
    ) -> None:
        if in_line:
            gate.open()
            other_gate.open()

        @flow(task_runner=task_runner)
        def meets() -> list[Any]:
            return [task.submit(gate, other_gate), task.submit(other_gate, gate)]

        assert meets(return_state=True).is_completed()

    def test_a_sequential_runner_keeps_the_order_and_others_lose_nothing(
        self, task_runner: BaseTaskRunner, in_line: bool, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> None:
            for n in range(20):
                write.submit(ledger, n)

        submits()

        assert (ledger.lines if in_line else sorted(ledger.lines, key=int)) == [str(n) for n in range(20)]

    def test_many_tasks_all_run_once(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def submits() -> int:
            futures = [*add.map(list(range(self.many)), 1), *add_async.map(list(range(self.many)), 1)]
            return sum(future.result() for future in futures)

        observed = observe(submits)

        assert observed.result == 2 * sum(n + 1 for n in range(self.many))
        assert len(observed.history.task_runs) == 2 * self.many

    def test_a_long_chain_ends(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def chains() -> int:
            last: PrefectFuture[int] = add.submit(0, 0)
            for _ in range(self.many):
                last = add.submit(last, 1)
            return last.result()

        assert chains() == self.many

    def test_maps_over_maps_over_maps_end(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def maps() -> int:
            first = add.map(list(range(self.many)), 1)
            third = add.map(add.map(first, 1), 1)
            return add.submit(sum(future.result() for future in third), 0).result()

        assert maps() == sum(n + 3 for n in range(self.many))


def _attempt() -> Attempt:
    """An attempt that nobody waits for."""

    def nothing() -> None: ...

    definition = TaskDefinition(
        task=nothing,
        function=nothing,
        name="nothing",
        key="0" * 8,
        policy=RunPolicy(),
        is_async=False,
        signature=CallSignature(nothing),
    )
    around = current_environment()
    return Attempt(
        TaskCall(definition, (), {}),
        1,
        1,
        TaskRun(uuid4(), "nothing", "0" * 8, 0, None),
        lambda _: False,
        copy_context(),
        around.clock,
        around.threads,
        None,
        log_prints=False,
    )
