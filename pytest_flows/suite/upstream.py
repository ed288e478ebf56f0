"""What a task waits for: futures among its arguments, and in ``wait_for``."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from pytest_flows.assertions import assert_history, assert_ran_before
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Gate, Ledger
from pytest_flows.suite.tasks import add, fail, pass_through, same, write
from runtime import allow_failure, flow, quote
from runtime.exceptions import UnfinishedRun
from runtime.futures import PrefectFuture
from runtime.runs import RunInput
from runtime.task_runners import BaseTaskRunner


@dataclass
class Parcel:
    """A dataclass to pass futures in."""

    content: Any


class Letter(BaseModel):
    """A pydantic model to pass futures in."""

    content: Any


class Pair(NamedTuple):
    """A named tuple to pass futures in."""

    first: Any
    second: Any


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [x, 0],
    "tuple": lambda x: (x, 0),
    "set": lambda x: {x},
    "dict-values": lambda x: {"a": x},
    "dict-keys": lambda x: {x: "a"},
    "ordered-dict": lambda x: OrderedDict[str, Any](a=x),
    "named-tuple": lambda x: Pair(x, 0),
    "dataclass": Parcel,
    "pydantic-model": lambda x: Letter(content=x),
    "depth": lambda x: {"a": [(Parcel([x]), {"b": x})]},
}


class UpstreamTests(SuiteBase):
    """Upstream runs are waited for, and their results put where the futures stood."""

    def test_a_future_arrives_as_its_result_and_was_waited_for(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def chains() -> int:
            return add.submit(add.submit(1, 2), add.submit(3, 4)).result()

        observed = observe(chains)

        assert observed.result == 10
        assert_ran_before(observed.history, "add-0", "add-2")
        assert_ran_before(observed.history, "add-1", "add-2")

    @pytest.mark.parametrize("wrap", list(WRAPPERS.values()), ids=list(WRAPPERS))
    def test_futures_are_found_in_containers_which_keep_their_type(
        self, task_runner: BaseTaskRunner, wrap: Callable[[Any], Any]
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> Any:
            return {"result": same.submit(wrap(add.submit(1, 2))).result()}

        arrived = submits()["result"]

        assert arrived == wrap(3)
        assert type(arrived) is type(wrap(3))

    def test_a_called_task_waits_for_its_upstream_too(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def calls() -> int:
            return add(add.submit(1, 2), 1)

        observed = observe(calls)

        assert observed.result == 4
        assert_ran_before(observed.history, "add-0", "add-1")

    def test_wait_for_waits_without_passing_anything(
        self, task_runner: BaseTaskRunner, ledger: Ledger, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def waits() -> None:
            first = [write.submit(ledger, "first"), write.submit(ledger, "first")]
            write.submit(ledger, "second", wait_for=first)

        history = observe(waits).history

        assert ledger.lines == ["first", "first", "second"]
        assert_ran_before(history, "write-1", "write-2")

    @pytest.mark.parametrize("wrong", [("a",), "a", 3, ["a"]], ids=repr)
    def test_wait_for_takes_nothing_but_a_list_of_futures(
        self, task_runner: BaseTaskRunner, wrong: Any
    ) -> None:
        @flow(task_runner=task_runner)
        def waits() -> None:
            with pytest.raises(TypeError, match="wait_for must be a list of futures"):
                same.submit(1, wait_for=wrong)

        assert waits(return_state=True).is_completed()

    def test_a_task_whose_upstream_failed_is_not_ready_and_never_runs(
        self, task_runner: BaseTaskRunner, ledger: Ledger, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def fails() -> str:
            failed = fail.submit()
            state = write.submit(ledger, "never", failed).wait()
            return str(state).replace(str(failed.task_run.id), "<id>")

        observed = observe(fails)

        assert observed.result == (
            "NotReady(message=\"Upstream task run '<id>' did not reach a 'COMPLETED' state.\", type=PENDING)"
        )
        assert_history(observed.history["write-0"], "Pending", "NotReady")
        assert ledger.lines == []

    def test_not_ready_carries_on_downstream(
        self, task_runner: BaseTaskRunner, ledger: Ledger, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def fails() -> None:
            first = write.submit(ledger, "never", fail.submit())
            write.submit(ledger, "never", wait_for=[write.submit(ledger, first)])

        observed = observe(fails)

        assert observed.state.message == "1/4 states failed."
        assert_history(observed.history["write-2"], "Pending", "NotReady")
        assert ledger.lines == []

    def test_the_result_of_a_run_that_is_not_ready_is_an_error(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def fails() -> str:
            with pytest.raises(UnfinishedRun):
                same.submit(fail.submit()).result()
            return "went on"

        assert fails() == "went on"

    def test_allow_failure_passes_the_exception_as_the_value(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def allows() -> list[str]:
            return [
                repr(same.submit(allow_failure(fail.submit())).result()),
                repr(same.submit(allow_failure(add.submit(1, 2))).result()),
                repr(same.submit([allow_failure(fail.submit("in a list"))]).result()),
            ]

        assert allows() == ["ValueError('no luck')", "3", "[ValueError('in a list')]"]

    def test_quote_leaves_a_value_alone(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def quotes() -> list[Any]:
            return [same.submit(quote([1, 2])).result(), same.submit([quote({"a": 1})]).result()]

        assert quotes() == [[1, 2], [{"a": 1}]]

    def test_the_graph_of_inputs_is_recorded(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def chains() -> None:
            one, other = add.submit(1, 2), add.submit(3, 4)
            add.submit(one, y=one, wait_for=[other])

        one, other, last = observe(chains).history.task_runs

        assert last.inputs == (
            RunInput("data", "x", one.id),
            RunInput("data", "y", one.id),
            RunInput("wait_for", "", other.id),
        )

    def test_a_result_passed_on_by_hand_leaves_no_edge(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def chains() -> None:
            add.submit(add.submit(1, 2).result(), 3)

        assert observe(chains).history.task_runs[1].inputs == ()

    def test_one_slow_upstream_holds_up_many_runs_but_nothing_else(
        self, task_runner: BaseTaskRunner, in_line: bool, gate: Gate, observe: Observe
    ) -> None:
        if in_line:
            gate.open()

        @flow(task_runner=task_runner)
        def waits() -> int:
            slow = pass_through.submit(gate, 1)
            dependents: list[PrefectFuture[int]] = [add.submit(slow, n) for n in range(self.many)]
            independent = add.submit(1, 2).result()
            gate.open()
            return independent + sum(future.result() for future in dependents)

        assert observe(waits).result == 3 + sum(1 + n for n in range(self.many))
