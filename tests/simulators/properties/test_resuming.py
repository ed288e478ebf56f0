"""A crash of the driver after each state change, and what the resumed run returns."""

import pytest

from runtime import flow, get_run_context, task
from simulators import FailureFound, SimulatedCluster
from simulators.faults import DriverCrash, StoreFailure, WorkerDeath, at_most
from simulators.properties import assert_resumable

TAKEN = []


@task(persist_result=True)
def square(n):
    return n * n


@task(persist_result=True, retries=2)
def square_for_sure(n):
    return n * n


@flow
def squares_for_sure(n):
    return sum(future.result() for future in square_for_sure.map(list(range(n))))


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


@pytest.mark.parametrize("resumable", [squares, squares_async], ids=["sync", "async"])
def test_a_flow_of_pure_tasks_is_resumable_after_each_change(resumable):
    exploration = assert_resumable(resumable, 2)

    assert set(exploration.outcomes) == {1}
    assert exploration.executions == 1 + 7 + 8  # none; all that was written, but at the end; what was safe


def test_subflows_are_resumed_too():
    assert set(assert_resumable(outer).outcomes) == {25}


def test_a_flow_may_take_two_tickets_as_long_as_it_looks_at_their_difference():
    assert assert_resumable(double).executions > 8


def test_a_flow_whose_result_depends_on_how_often_it_was_called_is_not_resumable():
    @flow
    def calls():
        take_ticket.submit().wait()
        return get_run_context().run_count

    with pytest.raises(FailureFound, match=r"The outcome is 2, and should be 1.*") as found:
        assert_resumable(calls)

    (decision,) = found.value.failure.shrunk.deviations
    assert decision.chosen.point.partition("!")[2].startswith("DriverCrash.")


def test_workers_may_die_besides():
    exploration = assert_resumable(
        squares_for_sure,
        2,
        faults=at_most(2, DriverCrash(left=("torn",)), WorkerDeath(when=("unreported",))),
        cluster=SimulatedCluster(workers=2),
    )

    assert set(exploration.outcomes) == {1}
    assert exploration.certificate.bounds["faults"] == 2


def test_a_store_that_fails_is_survived_too():
    assert set(assert_resumable(squares, 2, faults=[StoreFailure()]).outcomes) == {1}


def test_a_flow_that_fails_by_itself_is_told_of():
    @flow
    def fails():
        raise ValueError("by itself")

    with pytest.raises(FailureFound, match="by itself"):
        assert_resumable(fails)
