"""Flows: what a call of one gives back, its options, its names, and flows in flows."""

import asyncio
import re
import threading

import anyio
import pytest

from runtime import flow, get_run_context, get_run_logger, tags, task
from runtime.engine import cancel_flow_run
from runtime.exceptions import CancelledRun, MissingContext, ParameterTypeError
from runtime.states import Completed
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@task
def fail():
    raise ValueError("no luck")


def test_a_flow_returns_what_its_function_returns(runner):
    @flow(task_runner=runner)
    def doubles(x):
        return 2 * x

    assert doubles(2) == 4


def test_a_flow_raises_what_its_function_raises(runner):
    @flow(task_runner=runner)
    def breaks():
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        breaks()


def test_a_flow_asked_for_its_state_does_not_raise(runner):
    @flow(task_runner=runner)
    def breaks():
        raise LookupError("mine")

    state = breaks(return_state=True)

    assert state.is_failed()
    assert repr(state.result(raise_on_failure=False)) == "LookupError('mine')"


def test_a_flow_raises_what_went_wrong_first_in_its_tasks(runner):
    @flow(task_runner=runner)
    def breaks():
        fail.submit()

    with pytest.raises(ValueError, match="no luck"):
        breaks()


def test_the_function_itself_stays_within_reach():
    @flow
    def doubles(x):
        return 2 * x

    assert doubles.fn(2) == 4


def test_a_flow_that_declares_no_runner_is_concurrent():
    @flow
    def tells():
        return get_run_context().scope.runner

    assert type(tells()) is ConcurrentTaskRunner


def test_a_runner_may_be_given_as_a_class():
    @flow(task_runner=SequentialTaskRunner)
    def tells():
        return get_run_context().scope.runner

    assert type(tells()) is SequentialTaskRunner


class Shop:
    def __init__(self, stock):
        self.stock = stock

    @task
    def count(self, more):
        return self.stock + more

    @flow(task_runner=SequentialTaskRunner())
    def report(self, more):
        return [self.count(more), self.count.submit(more).result(), self.count.map([1, 2])[1].result()]


def test_methods_may_be_flows_and_tasks():
    assert Shop(10).report(1) == [11, 11, 12]


def test_a_method_called_on_its_class_takes_the_object_first():
    assert Shop.report(Shop(10), 1) == [11, 11, 12]


def test_methods_of_two_objects_do_not_mix():
    one, other = Shop(1), Shop(2)

    assert one.report(0)[0] == 1
    assert other.report(0)[0] == 2


def test_flow_names_have_dashes_and_runs_two_words(observe):
    @flow
    def my_little_flow(): ...

    flow_run = observe(my_little_flow).history.flow_run

    assert flow_run.flow_name == "my-little-flow"
    assert re.fullmatch("[a-z]+-[a-z]+", flow_run.name)


@pytest.mark.parametrize(
    "name", ["day-{day}", lambda parameters: f"day-{parameters['day']}"], ids=["text", "function"]
)
def test_flow_runs_may_be_named_after_their_parameters(observe, name):
    @flow(flow_run_name=name)
    def load(day): ...

    assert observe(load, 3).history.flow_run.name == "day-3"


def test_flow_run_names_that_cannot_be_made_fail_before_anything_runs(store):
    def broken():
        raise LookupError("no name today")

    @flow(flow_run_name=broken)
    def load(): ...

    with pytest.raises(LookupError, match="no name today"):
        load()

    assert store.flow_runs() == []


def test_task_runs_are_numbered_for_each_task_and_flow_run(observe):
    @flow
    def counts():
        add.submit(1, 2)
        add(1, 2)
        fail.submit()
        return "done"

    names = [run.name for run in observe(counts).history.task_runs]

    assert names == [f"add-{add.task_key}-0", f"add-{add.task_key}-1", f"fail-{fail.task_key}-0"]
    assert re.fullmatch("[0-9a-f]{8}", add.task_key)


def test_parameters_are_converted_to_what_the_annotations_say():
    @flow
    def doubles(x: int, *, by: float = 2):
        return x * by

    assert doubles("4") == 8


def test_parameters_that_do_not_fit_fail_the_run(observe):
    @flow
    def doubles(x: int):
        return 2 * x

    observed = observe(doubles, "four")

    assert str(observed.state) == "Failed(message='Flow run received invalid parameters.', type=FAILED)"
    assert observed.history.states == ["Pending", "Failed"]
    with pytest.raises(ParameterTypeError, match="x: "):
        observed.state.result()


def test_parameters_are_left_alone_where_that_is_asked_for():
    @flow(validate_parameters=False)
    def doubles(x: int):
        return 2 * x

    assert doubles("4") == "44"


def test_hooks_of_a_flow_hear_of_its_states():
    heard = []

    def hear(flow, flow_run, state):
        heard.append((flow.name, state.name))

    options = {"on_running": [hear], "on_completion": [hear], "on_failure": [hear], "on_crashed": [hear]}

    @flow(**options)
    def works(): ...

    @flow(**options)
    def breaks():
        raise ValueError

    @flow(**options)
    def crashes():
        raise SystemExit

    works()
    breaks(return_state=True)
    with pytest.raises(SystemExit):
        crashes()

    assert heard == [
        *(("works", "Running"), ("works", "Completed")),
        *(("breaks", "Running"), ("breaks", "Failed")),
        *(("crashes", "Running"), ("crashes", "Crashed")),
    ]


def test_a_flow_is_tried_again_until_it_succeeds(runner, observe):
    attempts = []

    @flow(task_runner=runner, retries=2, retry_delay_seconds=0.01)
    def tries():
        attempts.append(get_run_context().run_count)
        if len(attempts) < 3:
            raise ValueError("not yet")
        return "at last"

    observed = observe(tries)

    assert observed.result == "at last"
    assert attempts == [1, 2, 3]
    assert [(change.state.name, change.run_count) for change in observed.history.states] == [
        *(("Pending", 1), ("Running", 1), ("AwaitingRetry", 1)),
        *(("Retrying", 2), ("AwaitingRetry", 2), ("Retrying", 3), ("Completed", 3)),
    ]


def test_an_async_flow_is_tried_again_too(observe):
    attempts = []

    @flow(retries=1)
    async def tries():
        attempts.append(1)
        if len(attempts) < 2:
            raise ValueError("not yet")
        return "at last"

    assert observe(tries).result == "at last"


def test_a_flow_that_is_tried_again_keeps_its_completed_subflows(runner, observe):
    calls = []

    @flow(task_runner=runner)
    def child(x):
        calls.append(x)
        return add.submit(x, 1).result()

    @flow(task_runner=runner, retries=1)
    def tries():
        got = child(1)
        calls.append("body")
        if calls.count("body") == 1:
            raise ValueError("not yet")
        return got

    observed = observe(tries)

    assert observed.result == 2
    assert calls == [1, "body", "body"]


def test_a_subflow_that_failed_runs_again_under_the_same_id(runner, observe):
    calls = []

    @flow(task_runner=runner)
    def child():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("not yet")
        return "at last"

    @flow(task_runner=runner, retries=1)
    def tries():
        return child()

    observed = observe(tries)

    assert observed.result == "at last"
    assert [(change.state.name, change.run_count) for change in observed.history["child"]] == [
        *(("Pending", 1), ("Running", 1), ("Failed", 1)),
        *(("Pending", 2), ("Running", 2), ("Completed", 2)),
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_flow_that_takes_too_long_has_timed_out(kind, observe, gate):
    if kind == "sync":

        @flow(timeout_seconds=0.05)
        def waits():
            gate.wait()
    else:

        @flow(timeout_seconds=0.05)
        async def waits():
            await gate.wait_async()

    state = observe(waits).state

    assert str(state) == "TimedOut(message='Flow run exceeded timeout of 0.05 second(s).', type=FAILED)"
    with pytest.raises(TimeoutError):
        state.result()


def test_each_attempt_of_a_flow_has_its_own_time(observe, gate):
    @flow(timeout_seconds=0.05, retries=1)
    def waits():
        gate.wait()

    assert observe(waits).history.states == ["Pending", "Running", "AwaitingRetry", "Retrying", "TimedOut"]


def test_a_flow_is_cancelled_with_all_its_tasks(runner, observe, gate, ledger):
    @task
    def block():
        gate.open()
        ledger_gate.wait()

    ledger_gate = type(gate)(gate.path.with_name("never"))

    @flow(task_runner=runner)
    def waits():
        threading.Thread(target=cancel, args=(get_run_context().flow_run.id,)).start()
        return block.submit().result()

    def cancel(flow_run_id):
        gate.wait()
        cancel_flow_run(flow_run_id)

    observed = observe(waits)

    assert str(observed.state) == "Cancelled(message='Flow run was cancelled.', type=CANCELLED)"
    assert observed.history.states == ["Pending", "Running", "Cancelling", "Cancelled"]
    assert observed.history["block-0"].names[-1] == "Cancelled"
    with pytest.raises(CancelledRun):
        observed.state.result()


def test_an_async_flow_is_cancelled_with_all_its_tasks(runner, observe, gate):
    @task
    async def block():
        await gate.wait_async()

    @flow(task_runner=runner)
    async def waits():
        future = block.submit()
        asyncio.get_running_loop().call_soon(cancel_flow_run, get_run_context().flow_run.id)
        await future.result_async()

    observed = observe(waits)

    assert observed.history.states == ["Pending", "Running", "Cancelling", "Cancelled"]
    assert observed.history["block-0"].names[-1] == "Cancelled"


def test_cancelling_a_flow_that_is_over_or_unknown_changes_nothing(observe):
    @flow
    def ends(): ...

    flow_run = observe(ends).history.flow_run

    assert cancel_flow_run(flow_run.id) is False


def test_sync_flows_call_async_flows_and_the_other_way_round(runner):
    @flow(task_runner=runner)
    async def inner_async(x):
        return x + 1

    @flow(task_runner=runner)
    def inner(x):
        return add.submit(x, 1).result()

    @flow(task_runner=runner)
    def outer():
        return inner_async(1) + inner(1)

    @flow(task_runner=runner)
    async def outer_async():
        return inner(1) + await inner_async(1)

    assert outer() == 4
    assert asyncio.run(outer_async()) == 4


@pytest.mark.parametrize(
    "run", [asyncio.run, lambda coroutine: anyio.run(lambda: coroutine)], ids=["asyncio", "anyio"]
)
def test_a_sync_task_may_run_an_event_loop_of_its_own(runner, run):
    async def compute():
        await asyncio.sleep(0)
        return 7

    @task
    def loops():
        return run(compute())

    @flow(task_runner=runner)
    def asks():
        return [loops.submit().result(), loops()]

    assert asks() == [7, 7]


def test_flows_may_be_called_in_threads_at_the_same_time(runner, store):
    @flow(task_runner=runner)
    def adds(x):
        return add.submit(x, 1).result()

    results = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: adds(n)})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {n: n + 1 for n in range(8)}
    assert len(store.flow_runs()) == 8


def test_nested_subflows_in_task_groups_all_end(runner, observe):
    @flow(task_runner=runner)
    async def leaf(x):
        return await add.submit(x, 1).result_async()

    @flow(task_runner=runner)
    async def branch(x):
        async with asyncio.TaskGroup() as group:
            leaves = [group.create_task(leaf(x + n)) for n in range(3)]
        return sum(made.result() for made in leaves)

    @flow(task_runner=runner)
    async def tree():
        async with asyncio.TaskGroup() as group:
            branches = [group.create_task(branch(10 * n)) for n in range(3)]
        return sum(made.result() for made in branches)

    observed = observe(tree)

    assert observed.result == sum(10 * n + m + 1 for n in range(3) for m in range(3))
    assert len(observed.history.subflow_runs) == 12


def test_tags_reach_the_flow_and_its_tasks(observe):
    @flow
    def tagged():
        add.with_options(tags=["own"]).submit(1, 2)

    with tags("outer"):
        history = observe(tagged).history

    assert history.flow_run.tags == ("outer",)
    assert history.task_runs[0].tags == ("outer", "own")


def test_submitting_outside_of_a_flow_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"outside of a flow.*add\.submit.*add\(") as raised:
        add.submit(1, 2)

    assert isinstance(raised.value, MissingContext)


def test_a_task_may_be_called_outside_of_a_flow():
    assert add(1, 2) == 3
    assert add(1, 2, return_state=True) == Completed()


def test_there_is_no_run_logger_outside_of_a_run():
    with pytest.raises(MissingContext):
        get_run_logger()


def test_a_runner_that_cannot_start_crashes_the_flow_before_any_task(observe):
    class Broken(ConcurrentTaskRunner):
        def open(self):
            raise OSError("port in use")

    @flow(task_runner=Broken())
    def never():
        add.submit(1, 2)

    observed = observe(never)

    assert observed.state.is_crashed()
    assert "port in use" in observed.state.message
    assert isinstance(observed.state.result(raise_on_failure=False).__cause__, OSError)
    assert observed.history.task_runs == []
