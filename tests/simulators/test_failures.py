"""What is found is shrunk, told, and replays."""

import pytest

from runtime import flow, task
from simulators import Failure, FailureFound, access, check, explore, replay


def lost_update() -> None:
    counter = {"value": 0}

    @task
    def increment() -> None:
        access("counter")
        seen = counter["value"]
        access("counter", write=True)
        counter["value"] = seen + 1

    @flow
    def count() -> None:
        increment.submit()
        increment.submit()

    count()
    if counter["value"] != 2:
        raise ValueError(counter["value"])


def found(strategy: str, seed: int = 0) -> Failure:
    with pytest.raises(FailureFound) as caught:
        check(lost_update, points="operations", strategy=strategy, seed=seed)
    return caught.value.failure


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "guided", "exhaustive", "portfolio"])
def test_a_lost_update_shrinks_to_one_preemption_whoever_found_it(strategy: str):
    failure = found(strategy)

    assert [str(choice.chosen) for choice in failure.shrunk.deviations] == ["increment-1@1"]
    assert [choice.usual.run for choice in failure.shrunk.deviations] == ["increment-0"]


def test_the_report_shows_the_lines_and_the_decision_that_flips_the_result():
    failure = found("random")

    report = str(failure)
    assert "ValueError: 1" in report
    assert 'access("counter", write=True)' in report
    assert "One decision flips the result: increment-1 goes first" in report
    assert "increment-1  Pending -> Running -> Completed" in report


def test_the_printed_line_replays_the_failure():
    report = str(found("pct"))
    token = report.rpartition("Replay it: ")[2].split("'")[1]

    assert str(replay(lost_update, token).error) == "1"


def test_a_failure_keeps_the_history_of_the_simplest_schedule():
    history = found("random").history

    assert history is not None
    assert history["increment-1"].names == ["Pending", "Running", "Completed"]


def test_another_failure_on_the_way_is_not_taken_for_this_one():
    def two_bugs() -> None:
        order: list[str] = []

        @task
        def step(name: str) -> None:
            access("order", write=True)
            order.append(name)
            access("order", write=True)
            order.append(name)

        @flow
        def walk() -> None:
            step.submit("a")
            step.submit("b")

        walk()
        if order == ["b", "b", "a", "a"]:
            raise KeyError("late")
        assert order != ["a", "b", "b", "a"]

    exploration = explore(two_bugs, strategy="exhaustive", points="declared", stop_on_failure=False)

    assert sorted(type(failure.error).__name__ for failure in exploration.failures) == [
        "AssertionError",
        "KeyError",
    ]
    for failure in exploration.failures:
        assert type(replay(two_bugs, failure.shrunk).error) is type(failure.error)
