"""What the pytest plugin costs: a suite without flows, and tests of flows beside tests of plain functions."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contests import Contest
from benchmarks.imports import children_cpu_time

TESTS = 50
_NO_FLOWS = "def test_nothing(): pass\n"
_FUNCTIONS = """
import pytest

def add(a, b):
    return a + b

def sums(n):
    return sum(add(i, n) for i in range(5))

@pytest.mark.parametrize("n", range(TESTS))
def test_sums(n):
    assert sums(n) == 10 + 5 * n
"""
_FLOWS = """
import pytest
from runtime import flow, task

@task
def add(a, b):
    return a + b

@flow
def sums(n):
    return sum(future.result() for future in [add.submit(i, n) for i in range(5)])

@pytest.mark.parametrize("n", range(TESTS))
def test_sums(n):
    assert sums(n) == 10 + 5 * n
"""


def contests() -> Iterator[Contest]:
    """Pytest with the plugin beside pytest without it, and flows beside functions."""
    folder = _Folder()
    yield Contest(
        "a suite without flows",
        "session",
        1,
        {
            "with the plugin": folder.pytest("test_no_flows.py"),
            "-p no:flows": folder.pytest("test_no_flows.py", "-p", "no:flows"),
        },
        promised="at most 15 ms more",
        rounds=15,
        around=folder.made,
        cpu_time=children_cpu_time,
    )
    for runner in ("sequential", "concurrent", "dask"):
        yield Contest(
            f"{TESTS} tests of a flow with 5 tasks, --task-runner={runner}",
            "test",
            TESTS,
            {
                "flows": folder.pytest("test_flows.py", f"--task-runner={runner}"),
                "functions": folder.pytest("test_functions.py"),
            },
            promised="at most 10 ms more",
            rounds=5,
            around=folder.made,
            cpu_time=children_cpu_time,
        )


class _Folder:
    """A folder with the suites, for the length of a contest."""

    def __init__(self) -> None:
        self._path = Path()

    @contextmanager
    def made(self) -> Generator[None]:
        with tempfile.TemporaryDirectory() as folder:
            self._path = Path(folder)
            suites = {"test_no_flows.py": _NO_FLOWS, "test_functions.py": _FUNCTIONS, "test_flows.py": _FLOWS}
            for name, source in suites.items():
                (self._path / name).write_text(source.replace("TESTS", str(TESTS)))
            yield

    def pytest(self, *arguments: str) -> Callable[[], object]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        return lambda: subprocess.run(command, cwd=self._path, check=True, capture_output=True)
