"""Which change may follow which."""

import pytest

from runtime.history.steps import numbering_problem, step_problem
from runtime.states import AwaitingRetry, Completed, Failed, Pending, Retrying, Running


def changes_of(story, run, *told):
    """Changes of one run, each told as (state, attempt, run count)."""
    for state, attempt, run_count in told:
        story.tell(run, state, attempt=attempt, run_count=run_count)
    return story.changes[-len(told) :]


def test_numbers_begin_at_nought_and_have_no_gaps(story):
    story.tell(story.task(), Pending(), Running(), Completed())
    first, second, third = story.changes

    assert numbering_problem(None, first, whole=True) is None
    assert numbering_problem(first, second, whole=True) is None
    assert numbering_problem(None, second, whole=True) == "the first change is numbered 1"
    assert "the numbers are not consecutive" in numbering_problem(first, third, whole=True)


def test_numbers_of_a_part_may_have_gaps_but_never_repeat_or_fall(story):
    story.tell(story.task(), Pending(), Running(), Completed())
    first, second, third = story.changes

    assert numbering_problem(None, second, whole=False) is None
    assert numbering_problem(first, third, whole=False) is None
    assert numbering_problem(second, first, whole=False) is not None
    assert numbering_problem(second, second, whole=False) is not None


def test_time_never_runs_backwards(story):
    story.tell(story.task(), Pending(), elapsed=2.0).tell(story.task(n=1), Pending(), elapsed=1.0)

    assert "time ran backwards" in numbering_problem(*story.changes, whole=True)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ((Pending(), 0, 1), (Running(), 1, 1), None),
        ((Running(), 1, 1), (AwaitingRetry(), 1, 1), None),
        ((Running(), 2, 1), (AwaitingRetry(), 1, 1), "attempt 1 follows 2"),
        ((Completed(), 1, 1), (Failed(), 1, 1), "cannot follow"),
        ((Failed(), 3, 1), (Pending(), 0, 2), None),
        ((Failed(), 3, 1), (Running(), 0, 2), "cannot follow None"),
        ((Pending(name="NotReady"), 0, 1), (Pending(), 0, 2), None),
        ((Running(), 1, 1), (Pending(), 0, 2), "it had not settled in run count 1"),
        ((Pending(), 0, 2), (Running(), 1, 1), "run count 1 follows 2"),
    ],
)
def test_a_task_run_goes_by_legal_steps_in_each_run_count(story, before, after, problem):
    first, second = changes_of(story, story.task(), before, after)

    found = step_problem(first, second)

    assert found is None if problem is None else problem in found


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ((AwaitingRetry(), 1, 1), (Retrying(), 2, 2), None),
        ((Failed(), 1, 1), (Pending(), 1, 2), None),
        ((Running(), 1, 1), (Pending(), 2, 2), "cannot follow"),
        ((Running(), 2, 2), (Completed(), 1, 1), "run count 1 follows 2"),
    ],
)
def test_a_flow_run_goes_on_from_one_run_count_to_the_next(story, before, after, problem):
    first, second = changes_of(story, story.flow_run, before, after)

    found = step_problem(first, second)

    assert found is None if problem is None else problem in found


def test_a_run_begins_with_a_state_that_may_be_the_first(story):
    story.tell(story.task(), Pending()).tell(story.task(n=1), Completed())

    assert step_problem(None, story.changes[0]) is None
    assert "cannot follow None" in step_problem(None, story.changes[1])
