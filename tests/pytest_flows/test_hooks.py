"""The hooks that a suite may implement in its conftest.py."""

import pytest

from tests.pytest_flows.test_simulate import MARKED


def test_a_suite_may_make_its_own_task_runners(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from runtime.task_runners import SequentialTaskRunner

        class Own(SequentialTaskRunner):
            pass

        def pytest_flows_task_runner(config, name):
            print("asked for", name)
            return Own() if name == "sequential" else None
        """
    )
    pytester.makepyfile(
        """
        import pytest
        from runtime import flow, task

        @flow
        def runs():
            pass

        def test_first(task_runner): runs()

        def test_second(task_runner, sequential_task_runner):
            assert type(task_runner).__name__ in {"Own", "ConcurrentTaskRunner"}
            assert type(sequential_task_runner).__name__ == "Own"
        """
    )

    result = pytester.runpytest("--task-runner=sequential,concurrent", "-s")

    result.assert_outcomes(passed=4)
    assert str(result.stdout).count("asked for sequential") == 1


def test_a_suite_hears_of_schedules_that_fail(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        def pytest_flows_schedule_failed(item, failure, command):
            print("HEARD", item.name, type(failure.error).__name__, command)
        """
    )
    pytester.makepyfile(test_it=MARKED)

    result = pytester.runpytest("-s")

    result.stdout.fnmatch_lines(["*HEARD test_deposits AssertionError pytest *--flows-replay=fs1-*"])
