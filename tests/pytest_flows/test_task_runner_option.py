"""Any suite under any task runner: ``--task-runner`` and its relatives."""

import pytest

import runtime.task_runners

SUITE = """
import threading

import pytest

from runtime import flow, get_run_context, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

@task
def place():
    return threading.current_thread() is threading.main_thread()

@flow
def undeclared():
    return place.submit().result()

@flow(task_runner=SequentialTaskRunner())
def sequential():
    return place.submit().result()

@flow(task_runner=ConcurrentTaskRunner(max_workers=3))
def bounded():
    return get_run_context().scope.runner
"""


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(SUITE + tests)
    return pytester.runpytest(*arguments)


def test_without_the_option_each_flow_has_its_own_task_runner(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_flows(task_runner_name):
    assert task_runner_name == "declared"
    assert not undeclared()
    assert sequential()
""",
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["sequential", "concurrent"])
def test_all_flows_run_under_the_chosen_task_runner(pytester: pytest.Pytester, name: str) -> None:
    result = run(
        pytester,
        f"""
def test_flows(task_runner_name):
    assert task_runner_name == "{name}"
    assert undeclared() is {name == "sequential"}
    assert sequential() is {name == "sequential"}
""",
        f"--task-runner={name}",
    )

    result.assert_outcomes(passed=1)


def test_ids_stay_as_they_are_under_one_task_runner(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_flow(): undeclared()", "--task-runner=sequential", "-v")

    result.stdout.fnmatch_lines(["*::test_flow PASSED*"])


def test_a_flow_that_declares_the_chosen_kind_keeps_its_settings(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "def test_flow(): assert bounded() == ConcurrentTaskRunner(max_workers=3)",
        "--task-runner=concurrent",
    )

    result.assert_outcomes(passed=1)


def test_flows_that_run_while_tests_are_collected_are_included(pytester: pytest.Pytester) -> None:
    result = run(pytester, "MAIN = undeclared()\ndef test_it(): assert MAIN", "--task-runner=sequential")

    result.assert_outcomes(passed=1)


def test_the_configuration_file_may_choose_and_the_command_line_leads(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntask_runner = sequential")
    tests = "def test_flow(): assert undeclared()"

    run(pytester, tests).assert_outcomes(passed=1)
    run(pytester, tests, "--task-runner=concurrent").assert_outcomes(failed=1)
    run(pytester, tests, "--task-runner=declared").assert_outcomes(failed=1)


def test_an_unknown_name_ends_the_session_and_suggests_the_nearest(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_flow(): undeclared()", "--task-runner=sequentail")

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*There is no task runner 'sequentail', did you mean 'sequential'?*"])


def test_a_module_may_choose_its_own_task_runner(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def task_runner_name():
    return "sequential"

def test_flow(task_runner):
    assert undeclared()
    assert task_runner == SequentialTaskRunner()

class TestElsewhere:
    @pytest.fixture
    def task_runner_name(self):
        return "concurrent"

    def test_flow(self):
        assert not sequential()
""",
    )

    result.assert_outcomes(passed=2)


def test_plugins_may_bring_task_runners(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from runtime.hooks import hookimpl, plugins
        from runtime.task_runners import SequentialTaskRunner

        class MyTaskRunner(SequentialTaskRunner):
            pass

        class Mine:
            @hookimpl
            def flows_task_runners(self):
                return {"mine": MyTaskRunner}

        mine = Mine()

        def pytest_configure():
            plugins().register(mine)

        def pytest_unconfigure():
            plugins().unregister(mine)
        """
    )

    result = run(
        pytester,
        "def test_flow(task_runner): assert task_runner.name == bounded().name == 'MyTaskRunner'",
        "--task-runner=mine",
    )

    result.assert_outcomes(passed=1)


def test_the_runners_themselves_can_be_asked_for(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_runners(sequential_task_runner, concurrent_task_runner):
    assert undeclared.with_options(task_runner=sequential_task_runner)()
    assert not sequential.with_options(task_runner=concurrent_task_runner)()
""",
    )

    result.assert_outcomes(passed=1)


def test_nothing_stays_chosen_after_the_session(pytester: pytest.Pytester) -> None:
    run(pytester, "def test_flow(): assert undeclared()", "--task-runner=sequential").assert_outcomes(
        passed=1
    )

    @runtime.flow(task_runner=runtime.task_runners.ConcurrentTaskRunner)
    def runner() -> object:
        return runtime.get_run_context().scope.runner

    assert isinstance(runner(), runtime.task_runners.ConcurrentTaskRunner)
