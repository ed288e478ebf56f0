"""Coverage of what runs in workers and under schedules, and what ``--flows-report`` makes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """\
import asyncio
import threading

from runtime import flow, get_run_context, task

@task
def sort(n):
    if n > 1:
        size = "large"
    else:
        size = "small"
    return size

@task(timeout_seconds=60)
def watched():
    return threading.current_thread().name

@task
async def waiting():
    await asyncio.sleep(0)
    return 1

@flow
def sorting():
    watched.submit().result()
    waiting.submit().result()
    return [sort.submit(n).result() for n in (1, 2)]

@task
def deposit(account, amount):
    before = account["balance"]
    after = before + amount
    account["balance"] = after

@flow
def deposits(account):
    for amount in (1, 2):
        deposit.submit(account, amount)

def settle(account):
    if account["balance"] < 3:
        return "lost"
    return "right"
"""

#: lines of the tasks
TASKS = {8, 9, 11, 12, 16, 20, 21}

SUITE = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from runtime.task_runners import DaskTaskRunner
from shop import deposits, settle, sorting
from tests.runtime.remote.carrier import Carrier

@pytest.fixture(scope="module")
def worker():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Carrier(pool)
"""

IN_WORKER = """
def test_in_a_worker(worker):
    sorting.with_options(task_runner=worker)()
"""

SIMULATED = """
@pytest.mark.simulate(schedules=20)
def test_simulated():
    account = {"balance": 0}
    deposits(account)
    settle(account)
"""

pytestmark = pytest.mark.timeout(300)

COVERAGE_RUN = ("-m", "coverage", "run", "--branch", "--source=.", "-m", "pytest")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs tests of the shop, in a new process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(shop=SHOP, test_it=SUITE + tests)
        return pytester.run(sys.executable, *arguments, timeout=280)

    return run


def covered(folder: Path) -> dict[int, list[str]]:
    """The lines of the shop that coverage has seen, and their contexts, as it tells them itself."""
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", "-q", "--show-contexts"],
        cwd=folder,
        check=True,
        timeout=60,
    )
    shop = json.loads((folder / "coverage.json").read_text())["files"]["shop.py"]
    return {line: shop["contexts"].get(str(line), []) for line in shop["executed_lines"]}


@pytest.mark.slow
def test_coverage_run_sees_what_runs_in_workers_and_under_schedules(run, pytester) -> None:
    run(IN_WORKER + SIMULATED, *COVERAGE_RUN).assert_outcomes(passed=2)

    lines = covered(pytester.path)
    assert lines.keys() >= TASKS
    assert {tuple(lines[line]) for line in TASKS} == {("carrier",)}
    assert {tuple(lines[line]) for line in (31, 32, 33, 41)} == {("simulated",)}


@pytest.mark.slow
def test_pytest_cov_sees_what_runs_on_dask_and_on_ray(run, pytester) -> None:
    result = run(
        """
@pytest.mark.task_runners("dask")
def test_dask(dask_cluster_factory):
    cluster = dask_cluster_factory(n_workers=1, processes=True)
    sorting.with_options(task_runner=DaskTaskRunner(cluster=cluster))()

@pytest.mark.task_runners("ray")
def test_ray():
    sorting()
""",
        *(
            "-m",
            "pytest",
            "--cov=shop",
            "--cov-branch",
            "--cov-report=term-missing",
            "--task-runner=dask,ray",
        ),
    )

    result.assert_outcomes(passed=2)
    lines = covered(pytester.path)
    assert {tuple(sorted(lines.get(line, []))) for line in TASKS} == {("dask", "ray")}


@pytest.mark.slow
def test_contexts_of_pytest_cov_hold_for_workers_too(run, pytester) -> None:
    result = run(IN_WORKER, "-m", "pytest", "--cov=.", "--cov-context=test", "--cov-report=")

    result.assert_outcomes(passed=1)
    lines = covered(pytester.path)
    assert {tuple(lines.get(line, [])) for line in TASKS} == {("test_it.py::test_in_a_worker|run",)}


@pytest.mark.slow
def test_the_report_lists_lines_that_few_runners_or_schedules_reach(run) -> None:
    result = run(
        IN_WORKER + SIMULATED + "def test_here(): sorting()",
        *("-m", "pytest", "-n", "2", "--cov=shop", "--cov-report=", "--flows-report"),
    )

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*= flows report =*",
            "under some task runners only (of carrier, declared, simulated):",
            "  shop.py: 8-9, 11-12, 16, 20-21  carrier, declared",
            "under some schedules only:",
        ]
    )
    result.stdout.fnmatch_lines_random(
        [f"  shop.py: {line}  * of 20 of test_it.py::test_simulated, such as fs1-*" for line in (42, 43)]
    )


def test_a_report_without_coverage_says_what_to_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from runtime import flow\ndef test_flow(): flow(lambda: 1, name='one')()")

    result = pytester.runpytest_subprocess("--flows-report")

    result.stdout.fnmatch_lines(["*= flows report =*", "*run pytest under `coverage run`, or with --cov*"])
