"""The example project: its suite passes everywhere, its race is found, and found again."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout of the project, as new."""
    ignore = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "orders", ignore=ignore))


def run(project: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)


def run_pytest(project: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return run(project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options)


def test_its_suite_passes_on_every_task_runner(project: Path) -> None:
    result = run_pytest(project, "--task-runner=all")

    assert result.returncode == 0, result.stdout
    # 4 tests on 5 task runners, one that leaves out the simulated one, and the race.
    assert "24 passed, 1 xfailed" in result.stdout, result.stdout


def test_its_race_is_found_and_the_printed_line_replays_it(project: Path, tmp_path: Path) -> None:
    found = run_pytest(project, "--runxfail", "-k", "never_more")
    [line] = re.findall(r"^pytest (.+--flows-replay=.+)$", found.stdout, re.MULTILINE)[-1:]
    elsewhere = Path(shutil.copytree(project, tmp_path / "elsewhere"))

    replayed = run_pytest(elsewhere, *shlex.split(line))

    assert "1 failed" in replayed.stdout
    assert "after the first schedule" in replayed.stdout
    assert line in replayed.stdout


def test_its_flow_runs_from_the_command_line(project: Path) -> None:
    flows = str(Path(sys.executable).with_name("flows"))

    result = run(project, flows, "run", "orders.py:billing", "--param", "folder=data")

    assert result.returncode == 0, result.stderr
    assert re.search(r"read +2 ", result.stdout)
