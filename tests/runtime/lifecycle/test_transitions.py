"""Which state may follow which: the whole table, pair by pair."""

import pytest

from runtime.exceptions import IllegalTransition
from runtime.lifecycle import TRANSITIONS, check_transition, illegal_step
from runtime.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Retrying,
    Running,
    Scheduled,
    State,
    StateType,
)

COLUMNS = "SCHEDULED PENDING RUNNING CANCELLING COMPLETED FAILED CRASHED CANCELLED".split()

#: row: before; column: after; x: may follow
TABLE = {
    "-": "x x . . . . . .",
    "SCHEDULED": "x x x x x x x x",
    "PENDING": "x x x x x x x x",
    "RUNNING": "x . . x x x x x",
    "CANCELLING": ". . . . . . x x",
    "COMPLETED": ". . . . . . . .",
    "FAILED": ". . . . . . . .",
    "CRASHED": ". . . . . . . .",
    "CANCELLED": ". . . . . . . .",
}
PAIRS = [
    (before, after, mark == "x")
    for before, marks in TABLE.items()
    for after, mark in zip(COLUMNS, marks.split(), strict=True)
]


def state(kind: str) -> State | None:
    return None if kind == "-" else State(StateType(kind))


def test_the_table_speaks_of_every_pair_of_types():
    assert len(PAIRS) == (len(StateType) + 1) * len(StateType)
    assert {kind.value for kind in StateType} == set(COLUMNS) == set(TABLE) - {"-"}


@pytest.mark.parametrize(("before", "after", "legal"), PAIRS)
def test_only_what_the_table_allows_may_follow(before, after, legal):
    assert (StateType(after) in TRANSITIONS[None if before == "-" else StateType(before)]) is legal
    if legal:
        check_transition(state(before), state(after))
    else:
        with pytest.raises(IllegalTransition) as caught:
            check_transition(state(before), state(after))
        assert str(caught.value) == f"{state(after)} cannot follow {state(before)}"


@pytest.mark.parametrize("after", COLUMNS)
def test_nothing_follows_a_run_that_is_not_ready(after):
    not_ready = Pending("Upstream failed.", name="NotReady")

    with pytest.raises(IllegalTransition, match="cannot follow NotReady"):
        check_transition(not_ready, state(after))


@pytest.mark.parametrize(
    "states",
    [
        [],
        [Pending()],
        [Pending(), Running(), Completed()],
        [Pending(), Completed(name="Cached")],
        [Pending(), Pending(name="NotReady")],
        [Pending(), Running(), AwaitingRetry(), Retrying(), AwaitingRetry(), Retrying(), Failed()],
        [Pending(), AwaitingRetry(), Retrying(), Completed()],
        [Pending(), AwaitingRetry(), AwaitingRetry(), Crashed()],
        [Pending(), Running(), Cancelling(), Cancelled()],
        [Pending(), Cancelled()],
        [Scheduled(), Pending(), Running()],
    ],
)
def test_a_history_of_legal_steps_has_no_illegal_one(states):
    assert illegal_step(states) is None


@pytest.mark.parametrize(
    ("states", "step"),
    [
        ([Running()], "Running(message=None, type=RUNNING) cannot follow None"),
        ([Completed()], "Completed(message=None, type=COMPLETED) cannot follow None"),
        (
            [Pending(), Running(), Completed(), Failed("late")],
            "Failed(message='late', type=FAILED) cannot follow Completed(message=None, type=COMPLETED)",
        ),
        (
            [Pending(), Pending(name="NotReady"), Running(), Completed()],
            "Running(message=None, type=RUNNING) cannot follow NotReady(message=None, type=PENDING)",
        ),
    ],
)
def test_the_first_illegal_step_is_named(states, step):
    assert illegal_step(states) == step
