"""What the report of a failed test says about the flows that it ran."""

import pytest

FLOWS = """
from runtime import flow, task

@task
def add(a, b):
    return a + b

@flow
def child():
    return add.submit(1, 2).result()

@flow
def parent(n):
    child()
    add.map(list(range(n)), 1)
    raise ValueError("wrong")

def test_earlier():
    child()

def test_wrong():
    parent(2)

def test_many():
    parent(100)

def test_without_flows():
    raise ValueError("nothing ran")

def test_right():
    child()

def test_with_fixture(flow_runs):
    parent(1)
"""


@pytest.fixture
def sections(pytester: pytest.Pytester) -> dict[str, list[str]]:
    """The lines of the history in the report of each test."""
    pytester.makepyfile(FLOWS)
    record = pytester.inline_run("--task-runner=sequential")
    return {
        report.nodeid.partition("::")[2]: dict(report.sections).get("flow history", "").splitlines()
        for report in record.getreports("pytest_runtest_logreport")
        if report.when == "call"
    }


def test_a_failure_shows_the_histories_of_the_flows_of_the_test(sections: dict[str, list[str]]) -> None:
    title, *lines = sections["test_wrong"]

    assert title.startswith("parent '")
    assert [line.split()[2:4] for line in lines] == [
        ["parent-0", "Pending"],
        ["parent-0", "Running"],
        ["child-0", "Pending"],
        ["child-0", "Running"],
        ["child-0/add-0", "Pending"],
        ["child-0/add-0", "Running"],
        ["child-0/add-0", "Completed"],
        ["child-0", "Completed"],
        ["add-0", "Pending"],
        ["add-0", "Running"],
        ["add-0", "Completed"],
        ["add-1", "Pending"],
        ["add-1", "Running"],
        ["add-1", "Completed"],
        ["parent-0", "Failed"],
    ]
    assert lines[-1].endswith("Failed  Flow run encountered an exception.")


def test_a_long_history_is_shortened_in_the_middle(sections: dict[str, list[str]]) -> None:
    lines = sections["test_many"]

    assert len(lines) == 62
    assert lines[31].split() == ["...", "249", "more", "..."]
    assert "Failed" in lines[-1]


def test_other_tests_show_none(sections: dict[str, list[str]]) -> None:
    assert sections["test_without_flows"] == sections["test_right"] == []


def test_a_test_with_its_own_flow_runs_shows_them_too(sections: dict[str, list[str]]) -> None:
    assert sections["test_with_fixture"][0].startswith("parent '")
