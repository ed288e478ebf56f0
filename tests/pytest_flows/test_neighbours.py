"""Beside other plugins."""

import pytest

SUITE = """
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

@pytest.mark.simulate(points="operations")
@pytest.mark.parametrize("n", [1, 2])
def test_race(n):
    account = {"balance": 0}
    deposits(account)
    assert account["balance"] == 3

def test_flow():
    assert deposits({"balance": 0}, return_state=True).is_completed()
"""


@pytest.mark.slow
def test_xdist_gathers_failing_schedules_and_runs_each_test_under_each_runner(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_it=SUITE)

    result = pytester.runpytest_subprocess("-n", "2", "--task-runner=sequential,concurrent")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        [f"pytest 'test_it.py::test_race?{n}?' --flows-replay=fs1-*" for n in (1, 2)]
    )


@pytest.mark.slow
def test_xdist_gets_what_a_task_has_logged_whatever_it_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from runtime import flow, get_run_logger, task

        @task
        def tells():
            get_run_logger().warning("\\ud800 alone")

        def test_flow():
            flow(lambda: tells.submit(), name="told")()
        """
    )

    pytester.runpytest_subprocess("-n", "1").assert_outcomes(passed=1)


def test_marks_are_registered_where_they_must_be(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    result = pytester.runpytest("--strict-markers", "--collect-only", "-q")

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["3 tests collected*"])


def test_simulations_need_no_cache(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1, failed=2)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")

    result = pytester.runpytest("-p", "no:flows", "--fixtures")

    result.stdout.no_fnmatch_line("task_runner*")
