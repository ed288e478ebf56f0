"""What every pytest run pays for the plugin, and what it says."""

import sys
from pathlib import Path

import pytest


def test_loading_the_plugin_imports_nothing_that_flows_need(pytester: pytest.Pytester) -> None:
    result = pytester.run(
        sys.executable,
        "-c",
        "import sys\n"
        "from _pytest.config import get_config\n"
        "get_config()  # what pytest loads for itself\n"
        "before = set(sys.modules)\n"
        "import pytest_flows.plugin, pytest_flows.fixtures\n"
        "print(*sorted(set(sys.modules) - before), sep='\\n')\n",
    )

    imported = result.outlines
    assert "pytest_flows.plugin" in imported
    assert [name for name in imported if name.split(".")[0] != "pytest_flows"] == []
    assert len(imported) <= 20, imported


def test_a_suite_without_flows_never_imports_the_runtime(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_plain():
            assert not {"runtime", "simulators", "dask", "distributed", "ray", "anyio"} & sys.modules.keys()
        """
    )

    pytester.runpytest_subprocess("-p", "no:anyio").assert_outcomes(passed=1)


def test_nothing_that_only_clusters_need_is_asked_for_without_them(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys\nsys.modules.update(dict.fromkeys(['cloudpickle', 'dask', 'ray']))")
    pytester.makepyfile(
        """
        from runtime import flow, task

        def test_flow(flow_runs):
            flow(lambda: task(print).submit("hello"), name="greeting")()
            assert flow_runs["greeting"]["print-0"].names[-1] == "Completed"
        """
    )

    pytester.runpytest_subprocess("--task-runner=concurrent,simulated").assert_outcomes(passed=2)


def test_options_stand_in_one_group_with_twins_in_the_configuration(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--help")

    result.stdout.fnmatch_lines(["flows and task runners:", "*--task-runner=NAME*", "*task_runner (string)*"])


def test_fixtures_are_explained(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--fixtures", "-p", "no:anyio")

    result.stdout.fnmatch_lines(["*Name of the task runner that all flows run under*"])
    result.stdout.fnmatch_lines(["*The histories of the flow runs of this test, oldest first.*"])
    result.stdout.no_fnmatch_line("*no docstring available*")


def test_the_header_names_the_task_runner_only_where_one_was_chosen(pytester: pytest.Pytester) -> None:
    chosen = pytester.runpytest("--task-runner=sequential")
    plain = pytester.runpytest()

    chosen.stdout.fnmatch_lines(["task runner: sequential"])
    plain.stdout.no_fnmatch_line("*task runner*")


@pytest.mark.parametrize("name", ["runtime", "simulators"])
def test_the_header_names_a_file_that_hides_our_packages(pytester: pytest.Pytester, name: str) -> None:
    shadow = pytester.makepyfile(**{name: "answer = 42"})

    result = pytester.run(sys.executable, "-m", "pytest")

    result.stdout.fnmatch_lines([f"flows: '{name}' is not the package of pytest-flows but {shadow}. Rename*"])


def test_a_suite_may_have_tests_in_files_that_are_no_modules(pytester):
    pytester.makeconftest(
        """
        import pytest

        class Page(pytest.Module):
            obj = property(lambda self: (_ for _ in ()).throw(AttributeError("obj")))

            def collect(self):
                yield Example.from_parent(self, name="example")

        class Example(pytest.Item):
            def runtest(self):
                pass

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".md":
                return Page.from_parent(parent, path=file_path)
        """
    )
    pytester.makefile(".md", page="# A page")

    pytester.runpytest_inprocess("--task-runner=sequential").assert_outcomes(passed=1)


def test_the_developers_own_files_are_left_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = pytester.mkdir("own")
    monkeypatch.setenv("FLOWS_HOME", str(own))
    pytester.makepyfile(
        """
        import os
        from pathlib import Path
        from runtime.settings import current_settings

        def test_home():
            home = current_settings().home
            assert home != Path(HOME) and home.exists()
            assert os.environ["FLOWS_HOME"] == str(home)
            Path(SEEN).write_text(str(home))
        """.replace("HOME)", f"{str(own)!r})").replace("SEEN", repr(str(own / "seen")))
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)

    assert not Path((own / "seen").read_text()).exists()
