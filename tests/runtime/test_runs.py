"""Runs as records."""

import functools
from uuid import UUID

from runtime import flow
from runtime.runs import FlowDefinition, FlowRun, TaskRun
from runtime.states import StateType


def task_run(name="add", n=0, **more):
    return TaskRun(UUID(int=n + 1), name, "a087a829", n, None, **more)


def test_a_flow_run_is_known_by_its_flow_and_its_number():
    assert FlowRun(UUID(int=1), "olivine-swan", "my-flow", n=2).short_name == "my-flow-2"


def test_a_task_run_has_a_full_name_and_a_short_one():
    assert task_run(n=3).name == "add-a087a829-3"
    assert task_run(n=3).short_name == "add-3"
    assert task_run(title="monday").name == "monday"
    assert repr(task_run(n=3)) == "TaskRun('add-a087a829-3')"


def test_a_task_run_that_another_one_submitted_is_known_by_its_whole_line():
    outer = task_run("outer")
    middle = task_run("middle", 1, parent=outer)

    assert task_run(n=2, parent=middle).short_name == "outer-0/middle-1/add-2"


def test_the_line_of_a_task_run_may_be_long():
    run = task_run("t")
    for n in range(5_000):
        run = task_run("t", n, parent=run)

    assert run.short_name.count("/") == 5_000


def code_hash(function):
    return FlowDefinition(
        flow=None,
        function=function,
        name="f",
        version=None,
        policy=flow(lambda: None).policy,
        is_async=False,
        entry_point="",
    ).code_hash


def test_the_hash_of_the_code_is_that_of_its_source():
    def one():
        return 1

    def other():
        return 2

    @functools.wraps(one)
    def wrapped():
        return one()

    assert len(code_hash(one)) == 64
    assert code_hash(one) == code_hash(one)
    assert code_hash(one) != code_hash(other)
    assert code_hash(wrapped) == code_hash(one)


def test_a_function_without_source_has_no_hash():
    namespace = {}
    exec("def made(): pass", namespace)

    assert code_hash(namespace["made"]) == ""
    assert code_hash(len) == ""
    assert code_hash(functools.partial(len, "x")) == ""


def test_hooks_are_none_unless_they_are_given():
    assert flow(lambda: None)._definition.hooks == {}
    assert StateType.FAILED in flow(lambda: None).with_options(on_failure=[print])._definition.hooks
