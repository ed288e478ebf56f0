"""Simulation in tests: the marker, the fixture, and failing schedules that come back."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pytest_flows.simulating import ScheduleDrift, SharedFixtureWarning, Simulate
from runtime import flow, task
from simulators import checkpoint

RACE = """
import pytest
from runtime import flow, task
from simulators import checkpoint

@task
def add(account, amount):
    before = account["balance"]
    checkpoint("read")
    account["balance"] = before + amount

@flow
def deposits(account):
    add.submit(account, 1)
    add.submit(account, 2)

def body():
    account = {"balance": 0}
    deposits(account)
    assert account["balance"] == 3
"""

MARKED = RACE + "\n@pytest.mark.simulate(points='operations')\ndef test_deposits(): body()\n"
FIXTURE = RACE + "\ndef test_deposits(simulate): simulate(body, points='operations')\n"
REPAIRED = MARKED.replace('    checkpoint("read")\n', "")

#: what the schedule of a failure says nothing about
RENAMED = REPAIRED.replace("def add(", "def pay(").replace("add.submit", "pay.submit")
#: warnings are errors in the suite that runs these
WARN = ["-W", "default::pytest.PytestWarning"]
TOKEN = r"pytest (\S+) --flows-replay=(fs1-\S+)"


@task
def note(seen: list[int], n: int) -> None:
    checkpoint("before")
    seen.append(n)


@flow
def notes(seen) -> None:  # not annotated: a list that is validated is copied
    note.submit(seen, 1)
    note.submit(seen, 2)


def both_orders() -> tuple[int, ...]:
    seen: list[int] = []
    notes(seen)
    return tuple(seen)


def test_the_fixture_runs_a_function_once_for_each_schedule(simulate: Simulate) -> None:
    exploration = simulate(both_orders, strategy="exhaustive", points="operations")

    assert exploration.complete
    assert exploration.outcomes.keys() == {(1, 2), (2, 1)}
    assert exploration.executions == exploration.outcomes.total()


def test_the_fixture_raises_what_was_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        RACE
        + """
from simulators import FailureFound

def test_it(simulate):
    with pytest.raises(FailureFound) as found:
        simulate(body, points="operations")
    assert isinstance(found.value.failure.error, AssertionError)
    raise found.value
"""
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FailureFound*"])


@pytest.mark.simulate(strategy="exhaustive", points="operations")
def test_the_marker_runs_the_body_once_for_each_schedule() -> None:
    assert sorted(both_orders()) == [1, 2]


@pytest.mark.simulate(schedules=5, points="operations")
async def test_an_async_test_is_simulated_too() -> None:
    @flow
    async def asynchronous() -> list[int]:
        seen: list[int] = []
        await note.submit(seen, 1).wait_async()
        return seen

    assert await asynchronous() == [1]


@pytest.mark.simulate(schedules=3, points="operations")
@pytest.mark.parametrize("n", [2])
def test_parameters_reach_a_simulated_test(n: int) -> None:
    assert len(both_orders()) == n


@pytest.mark.simulate(schedules=5, points="operations")
def test_each_schedule_sees_its_own_flow_runs(flow_runs) -> None:
    both_orders()

    assert [history.flow_run.flow_name for history in flow_runs] == ["notes"]


@pytest.mark.parametrize("suite", [MARKED, FIXTURE])
def test_a_failure_shows_its_schedule_and_the_line_that_replays_it(
    pytester: pytest.Pytester, suite: str
) -> None:
    pytester.makepyfile(test_race=suite)

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Captured schedule call*",
            "*One decision flips the result*",
            "*failing schedules*",
            "pytest test_race.py::test_deposits --flows-replay=fs1-*",
        ]
    )


FAULTY = """
import pytest
from runtime import flow, task
from simulators import SimulatedCluster
from simulators.faults import LostResult

PAID = []

@task(retries=1)
def pay(n):
    PAID.append(n)

@flow
def pays():
    pay.submit(1)

@pytest.mark.simulate(points="operations", cluster=SimulatedCluster(workers=1), faults=[LostResult()])
def test_paid_once():
    PAID.clear()
    pays()
    assert PAID == [1]
"""


def test_a_fault_is_searched_for_and_comes_back_by_the_printed_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=FAULTY)
    nodeid, token = printed(pytester.runpytest("-p", "no:cacheprovider"))

    result = pytester.runpytest("-p", "no:cacheprovider", nodeid, f"--flows-replay={token}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert *1, 1* == *1*"])


def test_the_printed_line_replays_the_failure_in_a_fresh_checkout(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    nodeid, token = printed(pytester.runpytest("-p", "no:cacheprovider"))

    result = pytester.runpytest_subprocess(nodeid, f"--flows-replay={token}", "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*after the first schedule*", f"pytest {nodeid} --flows-replay={token}"])


def test_a_failing_schedule_comes_first_next_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    _, token = printed(pytester.runpytest())

    # With one schedule of fifo alone, the race would not be found again.
    again = pytester.runpytest("--flows-strategy=fifo")
    without = pytester.runpytest("--flows-strategy=fifo", "--cache-clear")

    assert printed(again)[1] == token
    without.assert_outcomes(passed=1)


def test_a_schedule_that_passes_is_forgotten(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    pytester.runpytest()
    pytester.makepyfile(test_race=REPAIRED)

    pytester.runpytest().assert_outcomes(passed=1)
    pytester.makepyfile(test_race=MARKED)

    pytester.runpytest("--flows-strategy=fifo").assert_outcomes(passed=1)


def test_drift_is_an_error_of_its_own_where_a_schedule_was_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    nodeid, token = printed(pytester.runpytest())
    pytester.makepyfile(test_race=RENAMED)

    result = pytester.runpytest(nodeid, f"--flows-replay={token}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The code has changed since the schedule fs1-* was recorded*"])


def test_a_schedule_that_is_none_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)

    result = pytester.runpytest("--flows-replay=fs1-nothing")

    result.stdout.fnmatch_lines(["*The schedule cannot be replayed*"])


def test_a_marker_keeps_a_schedule_as_a_regression_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    _, token = printed(pytester.runpytest("-p", "no:cacheprovider"))
    kept = f"points='operations', strategy='fifo', replay='{token}'"
    pytester.makepyfile(test_race=MARKED.replace("points='operations'", kept))

    result = pytester.runpytest("-p", "no:cacheprovider")

    assert printed(result)[1] == token


def test_a_kept_schedule_that_has_drifted_is_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)
    _, token = printed(pytester.runpytest("-p", "no:cacheprovider"))
    kept = f"points='operations', strategy='fifo', replay='{token}'"
    pytester.makepyfile(test_race=RENAMED.replace("points='operations'", kept))

    result = pytester.runpytest("-p", "no:cacheprovider", *WARN)
    strict = pytester.runpytest("-p", "no:cacheprovider", "-W", "error::pytest_flows.ScheduleDrift")

    result.assert_outcomes(passed=1, warnings=1)
    strict.assert_outcomes(failed=1)
    assert issubclass(ScheduleDrift, pytest.PytestWarning)


COUNTED = """
import pytest
from runtime import flow

@flow
def empty():
    pass

runs = []

{marker}
def test_counted():
    runs.append(1)
    empty()

def test_count():
    assert len(runs) == {expected}
"""


@pytest.mark.parametrize(
    ("marked", "configured", "option", "expected"),
    [
        ("schedules=3", "", "", 3),
        ("", "flows_schedules = 4", "", 4),
        ("schedules=3", "flows_schedules = 4", "", 3),
        ("schedules=3", "flows_schedules = 4", "--flows-schedules=5", 5),
    ],
)
def test_the_command_line_leads_over_the_test_and_the_test_over_the_configuration(
    pytester: pytest.Pytester, marked: str, configured: str, option: str, expected: int
) -> None:
    marker = f"@pytest.mark.simulate({marked}, strategy='random', points='operations')".replace("(, ", "(")
    pytester.makepyfile(COUNTED.format(marker=marker, expected=expected))
    pytester.makeini(f"[pytest]\n{configured}")

    pytester.runpytest(*filter(None, [option])).assert_outcomes(passed=2)


def test_a_fixture_that_schedules_share_is_warned_of(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        RACE
        + """
@pytest.fixture
def account():
    return {}

@pytest.fixture(scope="module")
def lasting():
    return 1

@pytest.mark.simulate(schedules=1)
@pytest.mark.parametrize("n", [1])
def test_it(account, lasting, n, flow_runs, task_runner_name):
    pass
"""
    )

    result = pytester.runpytest(*WARN)

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*SharedFixtureWarning: *::test_it* runs once for each schedule, but account *"]
    )
    assert issubclass(SharedFixtureWarning, pytest.PytestWarning)


def test_a_simulated_test_is_not_multiplied(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=REPAIRED + "\ndef test_other(simulate): simulate(body)\n")

    result = pytester.runpytest("--task-runner=sequential,concurrent", "--collect-only", "-q")

    result.stdout.fnmatch_lines(["test_race.py::test_deposits", "test_race.py::test_other"])


def test_junit_files_hold_the_line_that_replays(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=MARKED)

    result = pytester.runpytest("--junitxml=junit.xml")

    nodeid, token = printed(result)
    document = ElementTree.fromstring(Path(pytester.path, "junit.xml").read_text())
    properties = {element.get("name"): element.get("value") for element in document.iter("property")}
    assert properties == {"flows_replay": f"pytest {nodeid} --flows-replay={token}"}


def printed(result: pytest.RunResult) -> tuple[str, str]:
    """The test and the schedule of the line that is printed for a failure."""
    found = re.findall(rf"^{TOKEN}$", result.stdout.str(), re.MULTILINE)
    assert found, result.stdout.str()
    return found[-1]


def test_processes_that_share_a_search_find_what_one_finds(pytester: pytest.Pytester):
    pytester.makepyfile(
        RACE
        + """
def test_one(simulate): simulate(body, points="operations", strategy="pos")

@pytest.mark.simulate(points="operations", strategy="pos", processes=2)
def test_two(): body()
"""
    )

    result = pytester.runpytest_inprocess("-p", "no:randomly")

    result.assert_outcomes(failed=2)
    one, two = re.findall(TOKEN, result.stdout.str())[:2]
    assert one[0].endswith("test_one")
    assert two[0].endswith("test_two")
    assert one[1] == two[1]
    again = pytester.runpytest_inprocess("-p", "no:randomly")  # what was kept is replayed first
    again.assert_outcomes(failed=2)
