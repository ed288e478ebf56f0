"""What is true of every history that has ended."""

import pytest

from runtime.history import FlowRunHistory
from runtime.history.guarantees import violations
from runtime.states import AwaitingRetry, Cancelled, Completed, Failed, Pending, Retrying, Running


@pytest.fixture
def begun(story):
    """The story of a flow run that has begun."""
    return story.tell(story.flow_run, Pending(), Running(), attempt=1)


def finished(story):
    return story.tell(story.flow_run, Completed(), attempt=1).history


def test_a_history_in_order_violates_nothing(begun):
    first = begun.task()
    second = begun.task(n=1, upstream=(first,))
    child = begun.subflow()
    inner = begun.task(of=child)
    begun.tell(first, Pending()).tell(second, Pending()).tell(first, Running(), AwaitingRetry(), attempt=1)
    begun.tell(first, Retrying(), Completed(), attempt=2).tell(second, Running(), Failed(), attempt=1)
    begun.tell(child, Pending(), Running()).tell(inner, Pending(), Cancelled()).tell(child, Completed())

    assert violations(finished(begun)) == []


def test_a_task_run_that_was_not_ready_has_settled(begun):
    begun.tell(begun.task(), Pending(), Pending(name="NotReady"))

    assert violations(finished(begun)) == []


def test_a_run_that_never_settled_is_found(begun):
    begun.tell(begun.task(), Pending()).tell(begun.task(n=1), Pending(), Running(), attempt=1)

    assert violations(finished(begun)) == [
        "add-0 (Pending): it never settled",
        "add-1 (Pending -> Running): it never settled",
    ]


def test_a_flow_run_that_never_settled_is_found(begun):
    assert violations(begun.history) == ["outer-0 (Pending -> Running): it never settled"]


def test_a_flow_run_that_nothing_is_known_of_is_found(story):
    assert violations(story.history) == ["flow run 'olivine-swan' has no state"]


def test_a_second_final_state_is_found(begun):
    begun.tell(begun.task(), Pending(), Running(), Completed(), Completed())

    [found] = violations(finished(begun))
    assert found.startswith("add-0 (Pending -> Running -> Completed -> Completed): Completed(")


def test_a_gap_in_the_numbers_is_found(begun):
    begun.tell(begun.task(), Pending(), Cancelled(), index=7)

    assert any("the numbers are not consecutive" in found for found in violations(begun.history))


def test_a_task_run_that_ran_before_its_upstream_had_settled_is_found(begun):
    first = begun.task()
    second = begun.task(n=1, upstream=(first,))
    begun.tell(first, Pending()).tell(second, Pending())
    begun.tell(second, Running(), attempt=1).tell(first, Running(), Completed(), attempt=1)
    begun.tell(second, Completed(), attempt=1)

    assert violations(finished(begun)) == ["add-1 ran before its upstream add-0 had settled"]


def test_an_upstream_of_another_flow_is_taken_as_given(begun):
    begun.tell(begun.task(upstream=(begun.task("elsewhere"),)), Pending(), Running(), Completed(), attempt=1)

    assert violations(finished(begun)) == []


def test_a_run_that_outlived_its_flow_run_is_found(begun):
    child = begun.subflow()
    inner = begun.task(of=child)
    begun.tell(child, Pending(), Running()).tell(inner, Pending()).tell(child, Completed())
    begun.tell(inner, Cancelled()).tell(begun.flow_run, Completed(), attempt=1)

    assert violations(begun.history) == ["child-0/add-0 was still at it when its flow run had ended"]


def test_the_part_of_a_subflow_is_held_to_the_same(begun):
    child = begun.subflow()
    inner = begun.task(of=child)
    begun.tell(child, Pending()).tell(begun.task(), Pending()).tell(child, Running()).tell(inner, Pending())
    begun.tell(child, Completed())
    part = [change for change in begun.changes if change.run in (child, inner)]

    assert violations(FlowRunHistory(child, part)) == ["add-0 (Pending): it never settled"]
