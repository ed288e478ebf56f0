"""States of runs."""

import copy
import pickle
from datetime import UTC, datetime

import pytest

from runtime.exceptions import CancelledRun, CrashedRun, FailedRun, UnfinishedRun
from runtime.states import (
    FINAL_TYPES,
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    ResultReference,
    Retrying,
    Running,
    Scheduled,
    State,
    StateType,
)

ALL = [
    (Scheduled, StateType.SCHEDULED, "Scheduled"),
    (Pending, StateType.PENDING, "Pending"),
    (Running, StateType.RUNNING, "Running"),
    (Cancelling, StateType.CANCELLING, "Cancelling"),
    (Completed, StateType.COMPLETED, "Completed"),
    (Failed, StateType.FAILED, "Failed"),
    (Crashed, StateType.CRASHED, "Crashed"),
    (Cancelled, StateType.CANCELLED, "Cancelled"),
    (AwaitingRetry, StateType.SCHEDULED, "AwaitingRetry"),
    (Retrying, StateType.RUNNING, "Retrying"),
]
QUESTIONS = ["scheduled", "pending", "running", "cancelling", "completed", "failed", "crashed", "cancelled"]


@pytest.mark.parametrize(("make", "kind", "name"), ALL)
def test_a_state_is_made_by_the_function_called_like_it(make, kind, name):
    state = make("why", at=12.5)

    assert (state.type, state.name, state.message, state.at) == (kind, name, "why", 12.5)
    assert make() == State(kind, name)


@pytest.mark.parametrize("make", [Scheduled, Pending, Running, Completed, Failed, Crashed, Cancelled])
def test_a_state_may_have_a_name_of_its_own(make):
    state = make(name="Special")

    assert state.name == "Special"
    assert str(state) == f"Special(message=None, type={state.type.value})"


@pytest.mark.parametrize(("make", "kind", "name"), ALL)
def test_a_state_answers_yes_to_the_question_of_its_type_alone(make, kind, name):
    state = make()

    answers = {question for question in QUESTIONS if getattr(state, f"is_{question}")()}
    assert answers == {kind.value.lower()}


@pytest.mark.parametrize(("make", "kind", "name"), ALL)
def test_completed_failed_crashed_and_cancelled_are_final_and_no_others(make, kind, name):
    assert make().is_final() is (kind.value in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
    assert make().is_final() is (kind in FINAL_TYPES)


def test_a_run_is_settled_when_it_is_final_or_not_ready():
    assert Pending(name="NotReady").is_settled()
    assert not Pending(name="NotReady").is_final()
    assert Failed().is_settled()
    assert not Running().is_settled()


def test_a_state_shows_its_message_and_type():
    assert str(Completed()) == "Completed(message=None, type=COMPLETED)"
    assert repr(Failed("2/3 states failed.")) == "Failed(message='2/3 states failed.', type=FAILED)"


def test_states_are_equal_when_type_name_and_message_are():
    assert Completed("m", data=1, at=1.0) == Completed("m", data=2, at=2.0)
    assert hash(Completed("m", data=[])) == hash(Completed("m"))
    assert Completed("m") != Completed()
    assert Completed(name="Cached") != Completed()
    assert Failed() != Crashed()
    assert Completed() != "Completed"


def test_states_are_immutable():
    state = Completed(data=1)

    with pytest.raises(AttributeError, match="immutable: cannot set 'data'"):
        state.data = 2
    with pytest.raises(AttributeError, match="immutable: cannot set 'note'"):
        state.note = "x"
    with pytest.raises(AttributeError, match="immutable: cannot delete 'message'"):
        del state.message
    assert state.data == 1


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_state_can_be_copied_and_pickled(duplicate):
    state = Failed("m", name="TimedOut", data=ValueError("no"), at=3.5)

    again = duplicate(state)

    assert again == state
    assert str(again.data) == "no"
    assert again.at == 3.5


def test_a_state_without_its_data_is_the_same_otherwise():
    state = Completed("m", name="Cached", data="large", at=3.5)

    bare = state.without_data()

    assert bare == state
    assert (bare.data, bare.at) == (None, 3.5)
    assert bare.without_data() is bare


def test_a_state_entered_later_is_the_same_otherwise():
    state = Completed("m", data="x").dated(9.0)

    assert (state.message, state.data, state.at) == ("m", "x", 9.0)


def test_the_timestamp_is_in_utc():
    assert Completed(at=86_400.5).timestamp == datetime(1970, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_state_type_is_its_text():
    assert StateType.FAILED == "FAILED"
    assert StateType("FAILED") is StateType.FAILED
    assert {StateType.FAILED: 1}["FAILED"] == 1


# Results


def test_the_result_of_a_completed_run_is_its_data():
    assert Completed(data=[1]).result() == [1]
    assert Completed().result() is None
    assert Completed(data=ValueError()).result().__class__ is ValueError


def test_a_result_that_lies_elsewhere_is_fetched():
    class Elsewhere(ResultReference):
        def fetch(self):
            return "here it is"

    assert Completed(data=Elsewhere()).result() == "here it is"


@pytest.mark.parametrize("make", [Failed, Crashed, Cancelled])
def test_the_result_of_any_other_final_state_is_its_exception(make):
    error = KeyError("no")
    state = make(data=error)

    with pytest.raises(KeyError) as caught:
        state.result()
    assert caught.value is error
    assert state.result(raise_on_failure=False) is error


@pytest.mark.parametrize(
    ("make", "explanation"), [(Failed, FailedRun), (Crashed, CrashedRun), (Cancelled, CancelledRun)]
)
def test_a_state_without_an_exception_makes_one_that_says_why(make, explanation):
    with pytest.raises(explanation, match="the reason"):
        make("the reason").result()
    with pytest.raises(explanation, match="The run ended in state"):
        make().result()


@pytest.mark.parametrize("container", [list, tuple, set, frozenset])
def test_a_state_made_of_others_has_the_exception_of_the_first_that_did_not_complete(container):
    error = KeyError("no")

    state = Failed("1/2 states failed.", data=container([Failed(data=error)]))

    assert state.exception() is error


def test_a_state_made_of_others_looks_for_the_exception_at_any_depth():
    error = KeyError("no")
    states = [Completed(data=1), Running(), Failed(data=[Completed(), Crashed(data=error)]), Failed()]

    assert Failed(data=states).exception() is error
    assert Failed(data=Failed(data=error)).exception() is error


def test_a_state_made_of_others_that_have_not_ended_has_an_exception_of_its_own():
    state = Failed("1/1 states are not final.", data=[Pending(name="NotReady")])

    assert isinstance(state.exception(), FailedRun)


@pytest.mark.parametrize(
    "state", [Pending(), Running(), Cancelling(), AwaitingRetry(), Pending(name="NotReady")]
)
@pytest.mark.parametrize("raise_on_failure", [True, False])
def test_a_run_that_has_not_ended_has_no_result(state, raise_on_failure):
    with pytest.raises(UnfinishedRun, match="has no result"):
        state.result(raise_on_failure=raise_on_failure)
