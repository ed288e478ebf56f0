"""What another project gets: the wheel in an environment of its own."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import NEIGHBOURS

ROOT = Path(__file__).parents[2]

SUITE = """
from pathlib import Path

import pytest_flows
import runtime
import simulators
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

@task
def add(a, b):
    return a + b

@flow(task_runner=ConcurrentTaskRunner)
def sums():
    return [add.submit(i, 1).result() for i in range(3)]

def test_sums(flow_runs, task_runner):
    assert sums() == [1, 2, 3]
    assert task_runner == SequentialTaskRunner()
    pytest_flows.assert_ran_before(flow_runs["sums"], "add-0", "add-2")

def test_it_is_what_was_installed():
    for package in (runtime, simulators, pytest_flows):
        assert Path(package.__file__).is_relative_to(ENVIRONMENT)
        assert Path(package.__file__).with_name("py.typed").exists()
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it; what the wheel needs is found in the one of this test run."""
    folder = tmp_path_factory.mktemp("distribution")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "environment", symlinks=True)
    python = folder / "environment" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "needed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "environment"


@pytest.mark.slow
def test_another_project_can_test_its_flows_with_the_wheel(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "test_sums.py").write_text(f"ENVIRONMENT = {str(environment)!r}\n{SUITE}")

    output = run(environment / "bin" / "python", "-m", "pytest", "--task-runner=sequential", cwd=tmp_path)

    assert "2 passed" in output


OLD_SUITE = """
import pytest

from runtime import flow, task
from simulators import checkpoint

@task(retries=1, retry_delay_seconds=60)
def add(account, amount):
    before = account["balance"]
    checkpoint("read")
    account["balance"] = before + amount

@flow
def deposits(account):
    add.submit(account, 1)
    add.submit(account, 2)

HISTORY = ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]

def test_history(flow_runs, flow_clock, flow_stub):
    flow_stub(add, side_effect=[OSError("down"), None])
    deposits({})
    assert flow_runs["deposits"]["add-1"] == HISTORY

@pytest.mark.xfail(strict=True)
def test_difference(flow_runs):
    deposits({"balance": 0})
    assert flow_runs["deposits"]["add-0"] == ["Pending", "Completed"]

@pytest.mark.simulate(points="declared")
def test_race():
    account = {"balance": 0}
    deposits(account)
    assert account["balance"] == 3
"""


@pytest.fixture(scope="module")
def old_pytest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the last pytest 8, from PyPI; what it needs itself is found where the newer one's is."""
    folder = tmp_path_factory.mktemp("pytest-8")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", folder, "pytest<9"]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode:
        pytest.skip(f"pytest 8 cannot be had from PyPI: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.mark.slow
def test_it_works_with_pytest_8_too(environment: Path, old_pytest: Path, tmp_path: Path) -> None:
    (tmp_path / "test_old.py").write_text(OLD_SUITE)
    switched_off = [f"-pno:{name}" for name in NEIGHBOURS]

    def run_old(*options: str) -> str:
        command = [environment / "bin" / "python", "-W", "error", "-m", "pytest", *switched_off, *options]
        variables = {**os.environ, "PYTHONPATH": str(old_pytest)}
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=100
        )
        return done.stdout

    told = run_old("--task-runner=sequential,concurrent", "--strict-markers")
    replay = re.search("^pytest (test_old.py::test_race) (--flows-replay=.*)$", told, re.MULTILINE)

    assert "pytest-8." in told
    assert "1 failed, 2 passed, 2 xfailed" in told
    assert replay is not None, told
    assert "1 failed" in run_old(*replay.groups())


@pytest.mark.slow
def test_the_wheel_brings_the_command(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text("from runtime import flow\n@flow\ndef sums(): print(__name__)\n")

    assert "sums" in run(environment / "bin" / "flows", "run", "sums.py", cwd=tmp_path)


@pytest.mark.slow
def test_the_wheel_brings_the_page_of_the_runs(environment: Path) -> None:
    program = (
        "import importlib.resources; print(importlib.resources.files('runtime.dash').joinpath('static'))"
    )

    static = Path(run(environment / "bin" / "python", "-c", program, cwd=environment).strip())

    assert static.is_relative_to(environment)
    assert sorted(file.name for file in static.iterdir()) == sorted(
        file.name for file in (ROOT / "runtime" / "dash" / "static").iterdir()
    )


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
