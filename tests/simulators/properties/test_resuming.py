"""A crash of the driver after each state change, and what the resumed run returns."""

import pytest

from runtime import flow, task
from simulators.properties import OtherOutcome, assert_resumable

TAKEN = []


@task(persist_result=True)
def square(n):
    return n * n


@task
def take_ticket():
    TAKEN.append(None)
    return len(TAKEN)


@flow
def squares(n):
    return sum(future.result() for future in square.map(list(range(n))))


@flow
async def squares_async(n):
    return sum([await future.result_async() for future in square.map(list(range(n)))])


@flow
def inner():
    return square.submit(3).result()


@flow
def outer():
    return inner() + square(4)


@flow
def double():
    first = take_ticket.submit().result()
    return take_ticket.submit().result() - first


@flow
def ticket():
    return take_ticket.submit().result()


@pytest.mark.parametrize("resumable", [squares, squares_async], ids=["sync", "async"])
def test_a_flow_of_pure_tasks_is_resumable_after_each_change(resumable):
    assert assert_resumable(resumable, 2) == 8


def test_subflows_are_resumed_too():
    assert assert_resumable(outer) > 8


def test_a_flow_may_take_two_tickets_as_long_as_it_looks_at_their_difference():
    assert assert_resumable(double) > 3


def test_a_flow_whose_result_depends_on_how_often_it_ran_is_not_resumable():
    with pytest.raises(OtherOutcome, match=r"After a crash at change \d .*the outcome is"):
        assert_resumable(ticket)


def test_a_flow_that_fails_by_itself_is_told_of():
    @flow
    def fails():
        raise ValueError("by itself")

    with pytest.raises(ValueError, match="by itself"):
        assert_resumable(fails)
