"""What a flow's return value and its tasks amount to."""

from typing import Any

import pytest

from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate, Ledger
from pytest_flows.suite.tasks import add, call, fail, pass_through, same, write
from runtime import State, flow
from runtime.states import Cancelled, Completed
from runtime.task_runners import BaseTaskRunner


class ConclusionTests(SuiteBase):
    """The final state of a flow."""

    def test_returned_data_completes_the_flow_although_a_task_failed(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def returns() -> str:
            fail.submit()
            return "data"

        observed = observe(returns)

        assert observed.state == Completed()
        assert observed.result == "data"

    def test_a_state_made_by_hand_is_adopted(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def returns() -> State:
            add.submit(1, 2)
            return Cancelled("not today", name="Postponed")

        state = observe(returns).state

        assert str(state) == "Postponed(message='not today', type=CANCELLED)"

    def test_an_exception_fails_the_flow(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def raises() -> None:
            raise ValueError("mine")

        state = observe(raises).state

        assert str(state) == "Failed(message='Flow run encountered an exception.', type=FAILED)"
        with pytest.raises(ValueError, match="mine"):
            state.result()

    @pytest.mark.parametrize("collect", [list, tuple, set], ids=lambda collect: collect.__name__)
    def test_futures_that_completed_complete_the_flow(
        self, task_runner: BaseTaskRunner, observe: Observe, collect: Any
    ) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            return collect([add.submit(1, 2), add.submit(3, 4)])

        assert observe(returns).state == Completed("All states completed.")

    def test_one_future_is_enough(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            return add.submit(1, 2)

        observed = observe(returns)

        assert observed.state == Completed("All states completed.")
        assert observed.result.result() == 3

    def test_futures_that_failed_fail_the_flow(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            return [add.submit(1, 2), fail.submit(), fail.submit(return_state=True)]

        state = observe(returns).state

        assert str(state) == "Failed(message='2/3 states failed.', type=FAILED)"
        with pytest.raises(ValueError, match="no luck"):
            state.result()

    def test_a_cancelled_state_cancels_the_flow(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            return [add.submit(1, 2), same.submit(Cancelled())]

        assert str(observe(returns).state) == "Cancelled(message='1/2 states cancelled.', type=CANCELLED)"

    def test_states_that_are_not_final_fail_the_flow(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            failed = fail.submit()
            return [add.submit(1, 2), same.submit(failed), same.submit(failed)]

        assert str(observe(returns).state) == "Failed(message='2/3 states are not final.', type=FAILED)"

    def test_nothing_returned_leaves_the_verdict_to_all_tasks(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def returns_nothing() -> None:
            add.submit(1, 2)
            fail.submit()
            add(3, 4)

        assert observe(returns_nothing).state.message == "1/3 states failed."

    def test_a_flow_without_tasks_completes(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def does_nothing() -> None:
            return None

        assert observe(does_nothing).state == Completed()

    @pytest.mark.parametrize("shape", ["dict", "mixed", "empty"])
    def test_futures_among_other_data_are_data(
        self, task_runner: BaseTaskRunner, observe: Observe, shape: str
    ) -> None:
        @flow(task_runner=task_runner)
        def returns() -> Any:
            failed = fail.submit()
            return {"dict": {"a": failed}, "mixed": [failed, 1], "empty": []}[shape]

        assert observe(returns).state == Completed()

    def test_a_flow_waits_for_all_that_it_submitted(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        @flow(task_runner=task_runner)
        def leaves() -> str:
            write.map([ledger] * 10, list(range(10)))
            return "done"

        observed = observe(leaves)

        assert sorted(map(int, ledger.lines)) == list(range(10))
        assert {observed.history[run.id].names[-1] for run in observed.history.task_runs} == {"Completed"}

    def test_a_flow_that_raises_waits_for_all_that_it_submitted(
        self, task_runner: BaseTaskRunner, in_line: bool, observe: Observe, gate: Gate
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def raises() -> None:
            pass_through.submit(gate)
            call.submit(gate.open)
            raise ValueError("mine")

        history = observe(raises).history

        assert history.states.names[-1] == "Failed"
        assert history["pass_through-0"].names[-1] == "Completed"
