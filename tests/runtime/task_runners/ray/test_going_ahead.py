"""Tasks that are on Ray before their upstream runs have ended."""

import os

import pytest

from runtime import allow_failure, flow, task
from runtime.states import Completed, Failed
from runtime.task_runners.ray import sharing
from tests.runtime.task_runners.ray.conftest import states_of, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@task
def opened(gate, value):
    gate.wait()
    return value


@task
def note(ledger, value):
    ledger.write(len(value))
    return value


@task
def same(value):
    return value


def repr_of(value):
    return repr(value)[:12]


def is_on_ray(future):
    return sharing._current.under_way(future.task_run) is not None


def test_a_chain_is_on_ray_before_its_first_task_has_ended(ray_task_runner, ledger, gate):
    def submit():
        first = opened.submit(gate, "value")
        second = note.submit(ledger, first)
        third = note.submit(ledger, second)
        on_ray = [is_on_ray(future) for future in (first, second, third)]
        gate.open()
        return [first, second, third] if all(on_ray) else []

    states = states_of(ray_task_runner, submit)

    assert [state.result() for state in states] == ["value"] * 3
    assert len(ledger.lines) == 2


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_values_of_any_size_go_ahead(ray_task_runner, ledger, gate, size):
    def submit():
        first = opened.submit(gate, b"x" * size)
        futures = [note.submit(ledger, first) for _ in range(3)]
        gate.open()
        return futures

    states = states_of(ray_task_runner, submit)

    assert [state.result() for state in states] == [b"x" * size] * 3


@pytest.mark.parametrize("value", [None, b"", (), (1,), ["x"] * 10_000, (b"x" * 10_000,)], ids=repr_of)
def test_a_value_arrives_as_what_it_is(ray_task_runner, gate, value):
    def submit():
        first = opened.submit(gate, value)
        second = same.submit(first)
        gate.open()
        return [second, same.submit(second)]

    states = states_of(ray_task_runner, submit)

    assert [state.result() for state in states] == [value] * 2


def test_the_data_of_a_state_that_a_task_returns_arrives(ray_task_runner, ledger, gate):
    @task
    def returns_a_state(gate):
        gate.wait()
        return Completed(data="data")

    def submit():
        first = returns_a_state.submit(gate)
        second = note.submit(ledger, first)
        gate.open()
        return [second]

    (state,) = states_of(ray_task_runner, submit)

    assert state.result() == "data"
    assert ledger.lines == ["4"]


@pytest.mark.parametrize("how", ["raises", "returns", "dies"])
def test_what_went_ahead_is_made_again_after_a_retry_upstream(ray_task_runner, ledger, gate, tmp_path, how):
    @task(retries=1)
    def fails_once(gate, place, how):
        gate.wait()
        if not place.exists():
            place.touch()
            if how == "dies":
                os._exit(1)
            if how == "returns":
                return Failed("once", data="unusable")
            raise ValueError("once")
        return "value"

    def submit():
        first = fails_once.submit(gate, tmp_path / "place", how)
        second = note.submit(ledger, first)
        third = note.submit(ledger, second)
        gate.open()
        return [first, second, third]

    states = states_of(ray_task_runner, submit)

    assert [state.name for state in states] == ["Completed"] * 3
    assert len(ledger.lines) == 2


def test_what_went_ahead_never_runs_where_its_upstream_fails(ray_task_runner, ledger, gate):
    @task
    def fails(gate):
        gate.wait()
        raise ValueError("no value")

    @task
    def takes_failures(value):
        return type(value).__name__

    def submit():
        first = fails.submit(gate)
        second = note.submit(ledger, first)
        third = note.submit(ledger, second)
        allowing = takes_failures.submit(allow_failure(first))
        gate.open()
        return [first, second, third, allowing]

    states = states_of(ray_task_runner, submit)

    assert [state.name for state in states] == ["Failed", "NotReady", "NotReady", "Completed"]
    assert states[-1].result() == "ValueError"
    assert ledger.lines == []


def test_what_went_ahead_is_cancelled_without_its_upstream(ray_task_runner, ledger, gate):
    def submit():
        first = opened.submit(gate, "value")
        second = note.submit(ledger, first)
        until(lambda: first.get_state().is_running())
        second.cancel()
        gate.open()
        return [first, second]

    states = states_of(ray_task_runner, submit)

    assert [state.name for state in states] == ["Completed", "Cancelled"]
    assert ledger.lines == []


def test_a_task_that_is_cancelled_as_it_ends_does_not_end_the_process(ray_task_runner, gate):
    """Ray ends it where it is asked to cancel a task while it hears of its end."""

    def submit():
        gate.open()
        futures = []
        for _ in range(50):
            futures += [opened.submit(gate, 1)]
            futures += [same.submit(futures[-1]), same.submit(futures[-1])]
            until(lambda: futures[-3].get_state().is_final())
            futures[-1].cancel()
            futures[-2].cancel()
        return futures

    states = states_of(ray_task_runner, submit)

    assert {state.name for state in states} <= {"Completed", "Cancelled"}


def test_nothing_is_kept_of_what_went_ahead(ray_task_runner, ledger, gate):
    @flow(task_runner=ray_task_runner)
    def chains():
        first = opened.submit(gate, "value")
        ends = [note.submit(ledger, note.submit(ledger, first)) for _ in range(5)]
        ends[0].cancel()
        gate.open()
        for end in ends:
            end.wait()
        return 0

    chains()

    flights = sharing._current
    until(lambda: not (flights._by_id or flights._latest or flights._waited_for))
