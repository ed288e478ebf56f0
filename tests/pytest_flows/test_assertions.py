"""Assertions on histories: what they accept, and what they say otherwise."""

import pytest

from pytest_flows.assertions import (
    assert_history,
    assert_max_concurrency,
    assert_overlapped,
    assert_ran_before,
    assert_same_outcome,
)
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@task
def meet(mine, theirs):
    mine.open()
    theirs.wait()


@task
def fail():
    raise ValueError("no luck")


@flow(task_runner=SequentialTaskRunner())
def in_order():
    add.submit(add.submit(1, 2), 3)


@pytest.fixture
def met(observe, gate):
    """The history of two tasks that ran at the same time."""
    other = type(gate)(gate.path.with_name("other"))

    @flow(task_runner=ConcurrentTaskRunner())
    def meets():
        meet.submit(gate, other)
        meet.submit(other, gate)

    return observe(meets).history


def test_a_history_is_told_from_another_with_all_that_happened(observe):
    history = observe(in_order).history

    assert_history(history, "Pending", "Running", "Completed")
    assert_history(history["add-0"], "Pending", "Running", "Completed")
    with pytest.raises(
        AssertionError, match=r"(?s)Completed, not Pending -> Running -> Failed.*add-0 Completed"
    ):
        assert_history(history["add-0"], "Pending", "Running", "Failed")


def test_one_run_before_another_is_told_from_the_other_way_round(observe):
    history = observe(in_order).history

    assert_ran_before(history, "add-0", "add-1")
    with pytest.raises(AssertionError, match="add-1 had not ended before add-0 ran"):
        assert_ran_before(history, "add-1", "add-0")


def test_runs_at_the_same_time_are_told_from_runs_in_order(observe, met):
    history = observe(in_order).history

    assert_overlapped(met, "meet-0", "meet-1")
    with pytest.raises(AssertionError, match="add-0 and add-1 never ran at the same time"):
        assert_overlapped(history, "add-0", "add-1")
    with pytest.raises(AssertionError, match="meet-0 had not ended before meet-1 ran"):
        assert_ran_before(met, "meet-0", "meet-1")


def test_too_many_runs_at_the_same_time_are_counted(observe, met):
    assert_max_concurrency(observe(in_order).history, 1)
    assert_max_concurrency(met, 2)
    assert_max_concurrency(met, 1, task="other")
    with pytest.raises(AssertionError, match="2 task runs ran at the same time"):
        assert_max_concurrency(met, 1)
    with pytest.raises(AssertionError, match="2 task runs ran at the same time"):
        assert_max_concurrency(met, 1, task="meet")


def test_outcomes_are_the_same_whatever_runs_and_ids_are_called(observe):
    @flow
    def fails():
        add.submit(1, fail.submit())

    histories = [
        observe(fails.with_options(task_runner=runner)).history
        for runner in (SequentialTaskRunner(), ConcurrentTaskRunner())
    ]

    assert_same_outcome(*histories)


def test_outcomes_that_differ_say_where(observe):
    @flow(name="in-order")
    def fails():
        fail.submit()

    with pytest.raises(
        AssertionError, match=r"(?s)The outcomes differ.*add-0: .*but also no run.*fail-0: no run"
    ):
        assert_same_outcome(observe(in_order).history, observe(fails).history)
