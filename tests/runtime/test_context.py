"""What code that runs in a flow or a task finds around it."""

import asyncio
import threading

import pytest

from runtime import flow, get_run_context, tags, task
from runtime.context import (
    FlowRunContext,
    TaskRunContext,
    current_environment,
    default_environment,
    environment,
    may_await,
)
from runtime.exceptions import MissingContext
from runtime.history import MemoryHistoryStore
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@pytest.fixture(params=[SequentialTaskRunner, ConcurrentTaskRunner])
def runner(request):
    return request.param()


def test_there_is_no_run_context_outside_of_runs():
    with pytest.raises(MissingContext, match="call this inside of a flow or a task"):
        get_run_context()


def test_a_flow_finds_its_run_and_parameters_around_it():
    @flow
    def outer(x, y=2):
        return get_run_context()

    context = outer(1)

    assert isinstance(context, FlowRunContext)
    assert context.flow_run.flow_name == "outer"
    assert context.parameters == {"x": 1, "y": 2}
    with pytest.raises(MissingContext):
        get_run_context()


def test_a_task_finds_its_run_and_resolved_parameters_around_it(runner):
    @task
    def one():
        return 1

    @task
    def inner(x, *rest, y=2):
        return get_run_context()

    @flow
    def outer():
        return inner.submit(one.submit(), 5).result()

    context = outer.with_options(task_runner=runner)()

    assert isinstance(context, TaskRunContext)
    assert context.parameters == {"x": 1, "rest": (5,), "y": 2}
    assert (context.attempt, context.run_count) == (1, 1)
    assert context.task_run.task_name == "inner"
    assert context.task is inner


def test_a_subflow_in_a_task_finds_itself_around_it_and_the_task_itself_again(runner):
    seen = []

    @flow
    def child():
        seen.append(get_run_context())

    @task
    def calls():
        seen.append(get_run_context())
        child()
        seen.append(get_run_context())

    @flow(task_runner=runner)
    def outer():
        seen.append(get_run_context())
        calls.submit().result()
        seen.append(get_run_context())

    outer()

    kinds = [type(context).__name__ for context in seen]
    assert kinds == ["FlowRunContext", "TaskRunContext", "FlowRunContext", "TaskRunContext", "FlowRunContext"]
    assert seen[0] is seen[4]
    assert seen[1] is seen[3]
    assert seen[2].flow_run.flow_name == "child"


def test_tags_add_up_for_the_runs_that_begin_inside(runner, flow_runs):
    @task(tags=["own"])
    def tagged():
        return 1

    @flow(task_runner=runner)
    def outer():
        with tags("night", "etl"):
            with tags("inner"):
                tagged.submit()
            tagged.submit()
        tagged.submit()

    with tags("all"):
        outer()

    history = flow_runs[-1]
    assert history.flow_run.tags == ("all",)
    assert [history[f"tagged-{n}"].run.tags for n in range(3)] == [
        ("all", "etl", "inner", "night", "own"),
        ("all", "etl", "night", "own"),
        ("all", "own"),
    ]


def test_tags_are_text():
    with pytest.raises(TypeError, match="tags must be strings, not 7"), tags("night", 7):
        pass


def test_code_may_await_in_async_runs_and_outside_of_runs_alone():
    @flow
    def sync_flow():
        return may_await()

    @flow
    async def async_flow():
        return may_await()

    assert may_await()
    assert not sync_flow()
    assert asyncio.run(async_flow())


def test_an_environment_holds_in_its_own_context_alone():
    store = MemoryHistoryStore()
    elsewhere = []

    with environment(store=store) as changed:
        assert current_environment() is changed
        thread = threading.Thread(target=lambda: elsewhere.append(current_environment().store))
        thread.start()
        thread.join(30)
        with environment(store=MemoryHistoryStore()) as inner:
            assert inner.clock is changed.clock

    assert elsewhere[0] is not store
    assert current_environment().store is not store


def test_a_default_environment_holds_for_all_threads_that_chose_no_other():
    store, chosen = MemoryHistoryStore(), MemoryHistoryStore()
    elsewhere = []

    with default_environment(store=store):
        thread = threading.Thread(target=lambda: elsewhere.append(current_environment().store))
        thread.start()
        thread.join(30)
        with environment(store=chosen):
            assert current_environment().store is chosen

    assert elsewhere == [store]
    assert current_environment().store is not store
