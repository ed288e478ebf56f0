"""Assertions on histories: what they accept, and what they say otherwise."""

import pytest

from pytest_flows.assertions import (
    assert_history,
    assert_max_concurrency,
    assert_never_ran,
    assert_overlapped,
    assert_ran_before,
    assert_retried,
    assert_same_outcome,
    max_concurrency,
)
from pytest_flows.patterns import RETRIES, repeated
from runtime import flow, task
from runtime.states import Completed, StateType
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@task
def meet(mine, theirs):
    mine.open()
    theirs.wait()


@task(retries=3)
def recover(failures):
    if failures:
        failures.pop()
        raise ValueError("not yet")


@task
def fail():
    raise ValueError("no luck")


@flow(task_runner=SequentialTaskRunner())
def in_order():
    add.submit(add.submit(1, 2), 3)


@pytest.fixture
def met(observe, gate):
    """The history of two tasks that ran at the same time."""
    other = type(gate)(gate.path.with_name("other"))

    @flow(task_runner=ConcurrentTaskRunner())
    def meets():
        meet.submit(gate, other)
        meet.submit(other, gate)

    return observe(meets).history


def test_a_history_is_told_from_another_with_all_that_happened(observe):
    history = observe(in_order).history

    assert_history(history, "Pending", "Running", "Completed")
    assert_history(history["add-0"], "Pending", "Running", "Completed")
    with pytest.raises(
        AssertionError, match=r"(?s)Completed, not Pending -> Running -> Failed.*add-0  Completed"
    ):
        assert_history(history["add-0"], "Pending", "Running", "Failed")


def test_one_run_before_another_is_told_from_the_other_way_round(observe):
    history = observe(in_order).history

    assert_ran_before(history, "add-0", "add-1")
    with pytest.raises(AssertionError, match="add-1 had not ended before add-0 ran"):
        assert_ran_before(history, "add-1", "add-0")


def test_runs_at_the_same_time_are_told_from_runs_in_order(observe, met):
    history = observe(in_order).history

    assert_overlapped(met, "meet-0", "meet-1")
    with pytest.raises(AssertionError, match="add-0 and add-1 never ran at the same time"):
        assert_overlapped(history, "add-0", "add-1")
    with pytest.raises(AssertionError, match="meet-0 had not ended before meet-1 ran"):
        assert_ran_before(met, "meet-0", "meet-1")


def test_too_many_runs_at_the_same_time_are_counted(observe, met):
    assert_max_concurrency(observe(in_order).history, 1)
    assert_max_concurrency(met, 2)
    assert max_concurrency(met) == max_concurrency(met, "meet") == 2
    assert max_concurrency(met, "other") == 0
    assert_max_concurrency(met, 1, task="other")
    with pytest.raises(AssertionError, match=r"(?s)2 task runs ran.*<- meet-[01], meet-[01] were running"):
        assert_max_concurrency(met, 1)
    with pytest.raises(AssertionError, match="2 task runs ran at the same time"):
        assert_max_concurrency(met, 1, task="meet")


def test_outcomes_are_the_same_whatever_runs_and_ids_are_called(observe):
    @flow
    def fails():
        add.submit(1, fail.submit())

    histories = [
        observe(fails.with_options(task_runner=runner)).history
        for runner in (SequentialTaskRunner(), ConcurrentTaskRunner())
    ]

    assert_same_outcome(*histories)


def test_outcomes_that_differ_say_where(observe):
    @flow(name="in-order")
    def fails():
        fail.submit()

    with pytest.raises(AssertionError) as raised:
        assert_same_outcome(*[observe(in_order).history] * 2, observe(fails).history)
    assert str(raised.value).splitlines() == [
        "The outcomes differ, 1 (-) and 3 (+)",
        "  in-order",
        "- Pending -> Running -> Completed",
        "+ Pending -> Running -> Failed",
        "  add-0",
        "- Pending -> Running -> Completed",
        "+ no run",
        "  add-1",
        "- Pending -> Running -> Completed",
        "+ no run",
        "  fail-0",
        "- no run",
        "+ Pending -> Running -> Failed",
    ]


def test_outcomes_with_other_messages_say_which(observe):
    @flow(name="in-order")
    def says(message):
        return Completed(message)

    with pytest.raises(AssertionError) as raised:
        assert_same_outcome(observe(says, "one").history, observe(says, None).history)
    assert str(raised.value).splitlines()[2:] == [
        "- Pending -> Running -> Completed (one)",
        "+ Pending -> Running -> Completed (no message)",
    ]


@pytest.fixture
def recovered(observe):
    """The history of three runs, that failed 0, 1 and 2 times before they did not."""

    @flow(task_runner=SequentialTaskRunner())
    def recovers():
        for times in range(3):
            recover.submit([None] * times)
        add.submit(1, 2)

    return observe(recovers).history


@pytest.mark.parametrize(
    "pattern",
    [
        ["Pending", "Running", RETRIES, "Completed"],
        ["Pending", ..., "Completed"],
        ["Pending", "Running", ...],
        [...],
        ["Pending", "Running", repeated("AwaitingRetry", "Retrying", at_least=1), "Completed"],
        ["Pending", "Running", repeated("AwaitingRetry", "Retrying", at_most=2), "Completed"],
        ["Pending", "Running", repeated(RETRIES, at_least=2, at_most=3), {"Completed", "Cached"}],
        ["Pending", repeated({"Running", "Retrying", "AwaitingRetry"}, at_least=5, at_most=5), "Completed"],
        ["Pending", StateType.RUNNING, repeated(StateType.SCHEDULED, StateType.RUNNING), StateType.COMPLETED],
    ],
)
def test_patterns_fit_histories_that_differ_in_their_retries(recovered, pattern):
    assert_history(recovered["recover-2"], *pattern)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (["Pending", "Running", "Completed"], "AwaitingRetry  <- expected Completed"),
        (["Pending", RETRIES, "Completed"], "Running  on caller  <- expected AwaitingRetry or Completed"),
        (["Pending", "Running", RETRIES], "Completed  <- expected AwaitingRetry or the end"),
        ([..., {"Failed", "Crashed"}], "  <- expected ... or Crashed or Failed"),
        (
            ["Pending", "Running", repeated("AwaitingRetry", "Retrying", at_most=1), "Completed"],
            "AwaitingRetry  <- expected Completed",
        ),
        (
            ["Pending", "Running", repeated("AwaitingRetry", "Retrying", at_least=3), "Completed"],
            "Completed  <- expected AwaitingRetry",
        ),
        ([], "Pending  <- expected the end"),
    ],
)
def test_where_a_history_leaves_a_pattern_is_shown(recovered, pattern, expected):
    with pytest.raises(AssertionError) as raised:
        assert_history(recovered["recover-2"], *pattern)

    [marked] = [line for line in str(raised.value).splitlines() if "<-" in line]
    assert marked.endswith(expected)


def test_a_pattern_is_shown_as_text(recovered):
    with pytest.raises(AssertionError) as raised:
        assert_history(recovered["add-0"], "Pending", RETRIES, repeated(..., at_most=2), {"A", "B"})

    assert str(raised.value).splitlines()[0] == (
        "add-0 went Pending -> Running -> Completed, "
        "not Pending -> (AwaitingRetry -> Retrying)* -> (...){0,2} -> A or B"
    )


@pytest.mark.parametrize("limits", [{"at_least": -1}, {"at_most": 0}, {"at_least": 2, "at_most": 1}])
def test_a_repetition_that_makes_no_sense_is_refused(limits):
    with pytest.raises(ValueError, match="how often"):
        repeated("Running", **limits)
    with pytest.raises(ValueError, match="what is repeated"):
        repeated()


def test_the_histories_of_several_runs_are_asserted_at_once(recovered):
    assert_history(
        recovered,
        {
            "": ["Pending", "Running", "Completed"],
            "recover-1": ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"],
            "recover-*": ["Pending", "Running", RETRIES, "Completed"],
            recovered["add-0"].run.name: ["Pending", "Running", "Completed"],
        },
    )


def test_all_runs_that_went_otherwise_are_told(recovered):
    with pytest.raises(AssertionError) as raised:
        assert_history(
            recovered, {"recover-*": ["Pending", "Running", "Completed"], "fetch-*": [...], "add-0": [...]}
        )

    told = str(raised.value).split("\n\n")
    assert [problem.partition(" ")[0] for problem in told] == ["recover-1", "recover-2", "fetch-*:"]
    assert told[-1].endswith("there is no such run. There are: recover-0, recover-1, recover-2, add-0")


def test_a_dict_needs_the_history_of_a_flow_run(recovered):
    with pytest.raises(TypeError, match="one dict"):
        assert_history(recovered["add-0"], {"add-0": ["Pending"]})
    with pytest.raises(TypeError, match="one dict"):
        assert_history(recovered, {"add-0": ["Pending"]}, "Running")


def test_retries_are_counted(recovered):
    assert_retried(recovered, "recover-2", 2)
    assert_retried(recovered, "recover-1")
    assert_retried(recovered, "recover-0", 0)
    with pytest.raises(AssertionError, match="recover-1 was tried again 1 times, not 2 times"):
        assert_retried(recovered, "recover-1", 2)
    with pytest.raises(AssertionError, match="recover-0 was tried again 0 times, not at least once"):
        assert_retried(recovered, "recover-0")


def test_runs_that_never_ran_are_told_from_those_that_did(observe):
    @flow(task_runner=SequentialTaskRunner())
    def stops():
        add.submit(1, fail.submit())

    history = observe(stops).history

    assert_never_ran(history, "add-0", "other-*")
    with pytest.raises(AssertionError, match=r"(?s)fail-0 ran.*fail-0   Running.*<- here"):
        assert_never_ran(history, "add-*", "fail-*")
    with pytest.raises(AssertionError, match="add-0 never ran, so fail-0 was not before it"):
        assert_ran_before(history, "fail-0", "add-0")


EXPLAINED = """
import pytest
from runtime import flow, task
from runtime.states import StateType
from runtime.task_runners import SequentialTaskRunner

@task
def fail():
    raise ValueError("no luck")

@task
def add(x):
    return x

@flow(task_runner=SequentialTaskRunner())
def one():
    fail.submit()
    return 1

@flow(task_runner=SequentialTaskRunner())
def other():
    add.submit(1)
    return 1
"""


@pytest.mark.parametrize(
    ("claim", "explained"),
    [
        (
            "one['fail-0'] == ['Pending', 'Running', 'Retrying', 'Failed']",
            [
                "assert fail-0 went Pending -> Running -> Retrying -> Failed",
                "* s fail-0 Pending",
                "* s fail-0 Running on *",
                "- Retrying (expected)",
                "* s fail-0 Failed *",
            ],
        ),
        ("['Pending'] == one['fail-0']", ["assert fail-0 went Pending", "+ * s fail-0 Running*"]),
        (
            "one['fail-0'] == other['add-0']",
            ["assert fail-0 went Pending -> Running -> Completed", "- Completed (expected)"],
        ),
        ("'Completed' in one['fail-0']", ["assert fail-0 was Completed at some time", "* fail-0 Running*"]),
        ("StateType.FAILED not in one['fail-0']", ["assert fail-0 was never FAILED", "* fail-0 Running*"]),
        ("'add-0' in one", ["*assert one had a run called 'add-0'", "there were:", "fail-0"]),
        ("'add-0' not in other", ["*assert other had no run called 'add-0'", "there were:", "add-0"]),
        (
            "one == other",
            ["assert the flow runs had the same outcome", "fail-0", "- Pending -> Running -> Failed"],
        ),
    ],
)
def test_plain_comparisons_explain_themselves(pytester, claim, explained):
    pytester.makepyfile(
        EXPLAINED
        + f"""
def test_claim(flow_runs):
    one(), other()
    check(*flow_runs)

def check(one, other):
    assert {claim}
"""
    )

    result = pytester.runpytest()

    said = pytest.LineMatcher(
        [" ".join(line[1:].split()) for line in result.outlines if line.startswith("E ")]
    )
    said.fnmatch_lines(explained)
