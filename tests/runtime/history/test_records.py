"""Histories of runs, and how they are asked."""

import pytest

from runtime.exceptions import AmbiguousRunName
from runtime.history import FlowRunHistory, StateHistory
from runtime.states import Cancelled, Completed, Failed, Pending, Running, StateType


@pytest.fixture
def history(story) -> FlowRunHistory:
    """A flow run with two task runs, and with a subflow run that has one."""
    child = story.subflow()
    story.tell(story.flow_run, Pending(), Running())
    story.tell(story.task(), Pending(), Running(), Completed())
    story.tell(story.task(n=1, title="the second"), Pending(), Running(), Failed("no"))
    story.tell(child, Pending(), Running()).tell(story.task(of=child), Pending(), Cancelled())
    return story.tell(child, Completed()).tell(story.flow_run, Completed()).history


def test_the_history_of_one_run_tells_its_states_in_order(history):
    one = history["add-1"]

    assert one.names == ["Pending", "Running", "Failed"]
    assert one.types == [StateType.PENDING, StateType.RUNNING, StateType.FAILED]
    assert one.states[2] == Failed("no")
    assert one.final == Failed("no")
    assert one.run.title == "the second"
    assert [change.state.name for change in one] == one.names
    assert len(one) == 3
    assert repr(one) == "<StateHistory Pending -> Running -> Failed>"


def test_a_run_that_has_not_ended_has_no_final_state(story):
    story.tell(story.task(), Pending(), Pending(name="NotReady"))

    assert story.history["add-0"].final is None


def test_the_history_of_one_run_is_indexed_and_cut_like_a_list(history):
    one = history["add-0"]

    assert one[0].state == Pending()
    assert one[-1].state == Completed()
    assert one[1:] == ["Running", "Completed"]
    assert isinstance(one[1:], StateHistory)


def test_the_history_of_one_run_contains_states_their_names_and_their_types(history):
    one = history["add-1"]

    assert "Failed" in one
    assert StateType.FAILED in one
    assert Failed("no") in one
    assert one[1] in one
    assert "Completed" not in one
    assert StateType.COMPLETED not in one
    assert Failed("another message") not in one


def test_the_history_of_one_run_equals_a_list_of_names(history):
    assert history["add-0"] == ["Pending", "Running", "Completed"]
    assert history["add-0"] != ["Pending", "Completed"]
    assert history["add-0"] == history["add-0"][:]
    assert history["add-0"] != history["add-1"]
    assert history["add-0"] != "Pending"


def test_the_flow_run_s_own_history_is_told_apart(history):
    assert history.states == ["Pending", "Running", "Completed"]
    assert all(change.run == history.flow_run for change in history.states)


def test_all_changes_come_in_the_order_in_which_they_were_written(history):
    assert [change.index for change in history] == list(range(len(history)))


def test_task_runs_of_subflows_are_among_the_task_runs(history):
    assert [history.path(run) for run in history.task_runs] == ["add-0", "add-1", "child-0/add-0"]
    assert [run.name for run in history.subflow_runs] == ["jade-lynx-0"]


@pytest.mark.parametrize("name", ["child-0/add-0", "child/add-0"])
def test_a_task_run_of_a_subflow_is_found_by_its_path(history, name):
    assert history[name] == ["Pending", "Cancelled"]
    assert name in history


@pytest.mark.parametrize("name", ["child", "child-0", "jade-lynx-0"])
def test_a_subflow_run_is_found_by_the_name_of_its_flow_with_and_without_number_and_by_its_own(history, name):
    assert history[name] == ["Pending", "Running", "Completed"]


def test_a_run_is_found_by_its_full_name_and_by_its_id(history, story):
    story.tell(story.task(n=2), Pending())
    run = story.history["add-2"].run

    assert story.history["add-a087a829-2"].run is run
    assert story.history[str(run.id)].run is run
    assert story.history[run.id].run is run
    assert run.id in story.history
    assert history["the second"].run is history["add-1"].run


def test_a_name_that_fits_none_is_an_error_that_lists_what_there_is(history):
    with pytest.raises(
        KeyError, match=r"No run is called 'sub-0'. There are: add-0, add-1, child-0, child-0/add-0"
    ):
        history["sub-0"]
    with pytest.raises(KeyError):
        history[history.flow_run.id.__class__(int=99)]
    assert "sub-0" not in history
    assert 7 not in history


def test_a_name_that_fits_several_is_an_error_that_lists_them(story):
    first, second = story.subflow(), story.subflow(n=1)
    story.tell(first, Pending()).tell(second, Pending())
    story.tell(story.task(of=first), Pending()).tell(story.task(of=second), Pending())

    with pytest.raises(AmbiguousRunName) as caught:
        story.history["child/add-0"]
    assert str(caught.value).startswith("'child/add-0' fits several runs: child-0/add-0 (")
    assert "child-1/add-0" in str(caught.value)
    assert story.history["child-1/add-0"].run.flow_run_id == second.id


def test_a_run_that_a_task_run_submitted_is_found_by_its_path(story):
    outer = story.task("outer")
    story.tell(outer, Pending()).tell(story.task(parent=outer), Pending())

    assert story.history["outer-0/add-0"].run.parent is outer
    assert "add-0" not in story.history


def test_histories_are_equal_when_the_same_runs_went_through_the_same_states(story, history):
    def told(interleaved):
        again = type(story)()
        first, second = again.task(), again.task(n=1)
        again.tell(again.flow_run, Pending())
        if interleaved:
            again.tell(second, Pending()).tell(first, Pending()).tell(second, Running()).tell(
                first, Running()
            )
        else:
            again.tell(first, Pending(), Running()).tell(second, Pending(), Running())
        return again

    assert told(interleaved=True).history == told(interleaved=False).history
    assert told(interleaved=True).history != history
    longer = told(interleaved=False)
    longer.tell(longer.flow_run, Running())
    assert longer.history != told(interleaved=False).history
    assert history != "a history"


def test_ids_in_messages_make_no_difference(story):
    def told(first_id):
        again = type(story)(first_id)
        bad = again.task()
        later = again.task(n=1, upstream=(bad,))
        message = f"Upstream task run '{bad.id}' did not reach a 'COMPLETED' state."
        again.tell(bad, Pending(), Failed()).tell(later, Pending(), Pending(message, name="NotReady"))
        return again.history

    one, other = told(1), told(100)

    assert one == other
    assert (
        one.outline()["add-1"][1][0].message == "Upstream task run 'add-0' did not reach a 'COMPLETED' state."
    )


def test_an_outline_tells_of_every_run_also_of_those_with_the_same_name(story):
    one, namesake = story.task(), story.task()
    story.tell(one, Pending(), Completed()).tell(namesake, Pending(), Failed())

    states = sorted(changes[-1][0].name for changes in story.history.outline().values())

    assert states == ["Completed", "Failed"]


def test_histories_cannot_be_hashed(history):
    with pytest.raises(TypeError):
        hash(history)
    with pytest.raises(TypeError):
        hash(history["add-0"])


def test_a_history_shows_its_runs_and_where_they_got_to(history):
    assert repr(history) == (
        "<FlowRunHistory of olivine-swan "
        "add-0: Completed, add-1: Failed, child-0: Completed, child-0/add-0: Cancelled>"
    )
