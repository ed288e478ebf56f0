"""Beside other plugins."""

import pytest

from tests.conftest import NEIGHBOURS

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


FLOWS = """
import asyncio
import pytest
from runtime import flow, task

@task
def add(a, b):
    return a + b

@task
async def add_async(a, b):
    await asyncio.sleep(0)
    return a + b

@flow
def sums(n):
    return sum(future.result() for future in add.map(list(range(n)), 1))

@flow
async def sums_async(n):
    return sum([await future.result_async() for future in add_async.map(list(range(n)), 1)])
"""


def beside(pytester: pytest.Pytester, neighbour: str, tests: str, *options: str) -> pytest.RunResult:
    """Run tests with one of the plugins that are switched off elsewhere, without a warning or a leak."""
    pytester.makepyfile(test_it=FLOWS + tests)
    if neighbour == "asyncio":
        pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    switched_off = [f"-pno:{name}" for name in NEIGHBOURS if name != neighbour]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_ADDOPTS")
        strict = ["-W", "error", "--strict-markers", "--strict-config", "--flows-leaks=error"]
        return pytester.runpytest_subprocess(*strict, *switched_off, *options)


@pytest.mark.slow
def test_async_tests_of_pytest_asyncio_run_flows_under_each_runner(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "asyncio",
        """
@pytest.mark.asyncio
async def test_flow(flow_runs, flow_patch):
    assert await sums_async(3) == 6
    assert flow_runs[-1]["add_async-0"] == ["Pending", "Running", "Completed"]
""",
        "--task-runner=sequential,concurrent,simulated",
    )

    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_async_tests_of_anyio_run_flows_under_each_runner(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "anyio",
        """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_flow(flow_runs):
    assert await sums_async(3) == 6
    assert flow_runs[-1]["add_async-0"] == ["Pending", "Running", "Completed"]
""",
        "--task-runner=sequential,concurrent,simulated",
    )

    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_tests_in_random_order_keep_their_flows_apart(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "randomly",
        """
@pytest.mark.parametrize("n", range(5))
def test_flow(n, flow_runs):
    sums(n)
    assert len(flow_runs[0].task_runs) == n
""",
        "--task-runner=sequential,concurrent",
    )

    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["Using --randomly-seed=*"])


@pytest.mark.slow
def test_a_test_that_is_run_again_begins_anew(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "rerunfailures",
        """
tried = []

@pytest.mark.flaky(reruns=2)
def test_flow(flow_runs):
    sums(1)
    tried.append(1)
    assert len(flow_runs) == 1
    assert len(tried) == 3

@pytest.mark.flaky(reruns=1)
@pytest.mark.simulate(schedules=3)
def test_simulated():
    sums(2)
    tried.append(1)
    assert len(tried) != 4
""",
    )

    assert result.parseoutcomes() == {"passed": 2, "rerun": 3}


@pytest.mark.slow
def test_hypothesis_tries_flows_and_schedules(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "hypothesispytest",
        """
from hypothesis import given, settings, strategies as st
from pytest_flows.hypothesis import simulated_task_runners
from simulators import checkpoint

@given(st.integers(0, 5))
@settings(max_examples=5, derandomize=True, deadline=None)
def test_flow(n):
    assert sums(n) == n * (n + 1) // 2

@task
def note(seen, n):
    checkpoint("before")
    seen.append(n)

@flow
def notes(seen):
    note.submit(seen, 1)
    note.submit(seen, 2)

@pytest.mark.task_runners("simulated")
@given(simulated_task_runners())
@settings(max_examples=20, derandomize=True, deadline=None, database=None)
def test_order(runner):
    seen = []
    notes.with_options(task_runner=runner)(seen)
    assert seen == [1, 2]
""",
        "--task-runner=sequential,simulated",
    )

    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["*assert [[]2, 1[]] == [[]1, 2[]]"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hypothesis_tries_flows_on_clusters(pytester: pytest.Pytester) -> None:
    result = beside(
        pytester,
        "hypothesispytest",
        """
from hypothesis import given, settings, strategies as st

@given(st.integers(0, 3))
@settings(max_examples=4, derandomize=True, deadline=None, database=None)
def test_flow(n):
    assert sums(n) == n * (n + 1) // 2

@given(st.integers(0, 3))
@settings(max_examples=4, derandomize=True, deadline=None, database=None)
def test_example(n):
    assert sums(n) < 3
""",
        "--task-runner=dask,ray",
    )

    assert result.parseoutcomes() == {"passed": 2, "failed": 2}
    # of 3 and 2, which fail, the smaller one is found on each
    result.stdout.fnmatch_lines_random(
        [f"FAILED test_it.py::test_example?{name}? - assert 3 < 3" for name in ("dask", "ray")]
    )


@pytest.mark.parametrize("strict", ["--strict-markers", "--strict"])
def test_marks_are_registered_where_they_must_be(pytester: pytest.Pytester, strict: str) -> None:
    pytester.makepyfile(SUITE)

    result = pytester.runpytest(strict, "--strict-config", "--collect-only", "-q")

    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["3 tests collected*"])


def test_simulations_need_no_cache(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1, failed=2)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")

    result = pytester.runpytest("-p", "no:flows", "--fixtures")

    result.stdout.no_fnmatch_line("task_runner*")
