"""Several task runners: which tests are multiplied, and under which they run."""

import pytest

FLOWS = """
from runtime import flow, get_run_context, task

@task
def place():
    return 1

@flow
def simple():
    place.submit()
    return get_run_context().scope.runner.name

def helper():
    return simple()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(flows_of_mine=FLOWS)
    pytester.syspathinsert()
    return pytester


def outcomes(pytester: pytest.Pytester, tests: str, option: str) -> dict[str, str]:
    """The outcome of each test by id, in order."""
    pytester.makepyfile(test_it="import pytest, unittest\nfrom flows_of_mine import *\n" + tests)
    record = pytester.inline_run(*([f"--task-runner={option}"] if option else []))
    reports = record.getreports("pytest_runtest_logreport")
    found = {report.nodeid.partition("::")[2]: "passed" for report in reports}
    return found | {
        report.nodeid.partition("::")[2]: report.outcome for report in reports if report.outcome != "passed"
    }


BOTH = "sequential,concurrent"


@pytest.mark.parametrize(
    "test",
    [
        "def test(): simple()",
        "def test(): helper()",
        "def test():\n    @flow\n    def own(): pass\n    own()",
        "def test():\n    from runtime import flow as f\n    f(len)",
        "import flows_of_mine as m\ndef test(): m.helper()",
        "import runtime\ndef test(): runtime.flow(len)",
        "class Own:\n    def go(self): simple()\ndef test(): Own().go()",
        "def test(): [helper() for _ in range(1)]",
        "@pytest.fixture\ndef ran(): return simple()\ndef test(ran): pass",
        "def test(flow_runs): pass",
        "def test(task_runner): pass",
        "@pytest.mark.task_runners('sequential', 'concurrent')\ndef test(): pass",
    ],
)
def test_a_test_that_runs_a_flow_runs_once_under_each(suite: pytest.Pytester, test: str) -> None:
    assert outcomes(suite, test, BOTH) == {"test[sequential]": "passed", "test[concurrent]": "passed"}


@pytest.mark.parametrize(
    "test",
    [
        "def test(): pass",
        "def test(): len('simple')",
        "def test(tmp_path, monkeypatch): sorted(str(tmp_path))",
    ],
)
def test_a_test_without_a_flow_runs_once(suite: pytest.Pytester, test: str) -> None:
    assert outcomes(suite, test, BOTH) == {"test": "passed"}


def test_each_runs_under_its_own_task_runner(suite: pytest.Pytester) -> None:
    test = "def test(task_runner_name): assert simple().lower() == task_runner_name + 'taskrunner'"

    found = outcomes(suite, test, BOTH)

    assert found == {"test[sequential]": "passed", "test[concurrent]": "passed"}


def test_methods_and_parametrized_tests_are_multiplied_too(suite: pytest.Pytester) -> None:
    tests = """
class TestIt:
    def run(self):
        simple()

    @pytest.mark.parametrize("n", [1, 2])
    def test(self, n):
        self.run()
"""

    assert list(outcomes(suite, tests, BOTH)) == [
        "TestIt::test[1-sequential]",
        "TestIt::test[2-sequential]",
        "TestIt::test[1-concurrent]",
        "TestIt::test[2-concurrent]",
    ]


def test_all_means_every_task_runner_that_is_installed(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test(task_runner): pass")

    result = suite.runpytest("--task-runner=all", "--collect-only", "-q")

    result.stdout.fnmatch_lines(
        ["test_it.py::test[[]sequential]", "test_it.py::test[[]concurrent]", "test_it.py::test[[]simulated]"]
    )


def test_flows_run_simulated(suite: pytest.Pytester) -> None:
    assert outcomes(suite, "def test(): assert simple() == 'SimulatedTaskRunner'", "simulated") == {
        "test": "passed"
    }


def test_methods_of_a_unittest_case_run_under_the_first_and_are_listed(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_it="""
        import unittest
        from flows_of_mine import helper

        class Case(unittest.TestCase):
            def test_flow(self):
                self.assertEqual(helper(), "SequentialTaskRunner")

            def test_other(self):
                pass
        """
    )

    result = suite.runpytest(f"--task-runner={BOTH}")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*unittest.TestCase: run under sequential only*", "test_it.py::Case::test_flow"]
    )
    result.stdout.no_fnmatch_line("test_it.py::Case::test_other")


MARKED = """
@pytest.mark.task_runners("concurrent", "simulated")
def test(task_runner_name):
    assert task_runner_name in {"concurrent", "simulated"}
"""


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("sequential,concurrent,simulated", {"test[concurrent]": "passed", "test[simulated]": "passed"}),
        ("sequential,concurrent", {"test[concurrent]": "passed"}),
        ("concurrent", {"test": "passed"}),
        ("sequential", {"test": "skipped"}),
        ("", {"test": "passed"}),
    ],
)
def test_a_marker_limits_a_test_to_some_task_runners(
    suite: pytest.Pytester, option: str, expected: dict[str, str]
) -> None:
    assert outcomes(suite, MARKED, option) == expected


def test_a_test_that_is_skipped_says_where_it_runs(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="import pytest\n" + MARKED)

    result = suite.runpytest("--task-runner=sequential", "-rs")

    result.stdout.fnmatch_lines(["*runs only under: concurrent, simulated (--task-runner=sequential)"])


def test_a_class_that_chooses_for_itself_is_not_multiplied(suite: pytest.Pytester) -> None:
    tests = """
class TestIt:
    @pytest.fixture
    def task_runner_name(self):
        return "simulated"

    def test(self):
        assert simple() == "SimulatedTaskRunner"
"""

    assert outcomes(suite, tests, BOTH) == {"TestIt::test": "passed"}


def test_a_marker_with_a_name_that_does_not_exist_is_an_error(suite: pytest.Pytester) -> None:
    test = "@pytest.mark.task_runners('daks')\ndef test(): simple()"

    suite.makepyfile(test_it="import pytest\nfrom flows_of_mine import *\n" + test)
    result = suite.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*There is no task runner 'daks'*"])
