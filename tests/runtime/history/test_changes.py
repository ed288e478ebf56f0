"""One entry of a history."""

from runtime.history import StateChange
from runtime.states import Completed, Running


def change(run, state, **more):
    return StateChange(run, **{"index": 3, "state": state, "at": 1.0, "elapsed": 0.25, **more})


def test_changes_are_equal_when_they_say_the_same_of_the_same_run_whenever_and_wherever(story):
    run = story.task()

    here = change(run, Running(), worker="thread-1")
    there = change(run, Running(), index=9, at=7.0, elapsed=1.0, worker="thread-2")

    assert here == there
    assert hash(here) == hash(there)
    assert here != change(run, Completed())
    assert here != change(run, Running(), attempt=2)
    assert here != change(run, Running(), run_count=2)
    assert here != change(story.task(n=1), Running())
    assert here != "Running"


def test_a_change_shows_what_happened_when_and_where(story):
    run = story.task()

    assert repr(change(run, Running())) == "<3 add-0 Running +0.250000s>"
    assert repr(change(run, Running(), worker="thread-1")) == "<3 add-0 Running +0.250000s on thread-1>"
