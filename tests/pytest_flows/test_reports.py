"""What the report of a failed test says about the flows that it ran."""

from pathlib import Path

import pytest

FLOWS = """
from runtime import flow, task

@task
def add(a, b):
    return a + b

@flow
def child():
    return add.submit(1, 2).result()

@flow
def parent(n):
    child()
    add.map(list(range(n)), 1)
    raise ValueError("wrong")

def test_earlier():
    child()

def test_wrong():
    parent(2)

def test_many():
    parent(100)

def test_without_flows():
    raise ValueError("nothing ran")

def test_right():
    child()

def test_with_fixture(flow_runs):
    parent(1)
"""


@pytest.fixture
def sections(pytester: pytest.Pytester) -> dict[str, list[str]]:
    """The lines of the history in the report of each test."""
    pytester.makepyfile(FLOWS)
    record = pytester.inline_run("--task-runner=sequential")
    return {
        report.nodeid.partition("::")[2]: dict(report.sections).get("flow history", "").splitlines()
        for report in record.getreports("pytest_runtest_logreport")
        if report.when == "call"
    }


def test_a_failure_shows_the_histories_of_the_flows_of_the_test(sections: dict[str, list[str]]) -> None:
    title, *lines = sections["test_wrong"]

    assert title.startswith("parent '")
    assert [line.split()[2:4] for line in lines] == [
        ["parent-0", "Pending"],
        ["parent-0", "Running"],
        ["child-0", "Pending"],
        ["child-0", "Running"],
        ["child-0/add-0", "Pending"],
        ["child-0/add-0", "Running"],
        ["child-0/add-0", "Completed"],
        ["child-0", "Completed"],
        ["add-0", "Pending"],
        ["add-0", "Running"],
        ["add-0", "Completed"],
        ["add-1", "Pending"],
        ["add-1", "Running"],
        ["add-1", "Completed"],
        ["parent-0", "Failed"],
    ]
    assert lines[-1].endswith("Failed  Flow run encountered an exception.")


def test_a_long_history_is_shortened_in_the_middle(sections: dict[str, list[str]]) -> None:
    lines = sections["test_many"]

    assert len(lines) == 62
    assert lines[31].split() == ["...", "249", "more", "..."]
    assert "Failed" in lines[-1]


def test_other_tests_show_none(sections: dict[str, list[str]]) -> None:
    assert sections["test_without_flows"] == sections["test_right"] == []


def test_a_test_with_its_own_flow_runs_shows_them_too(sections: dict[str, list[str]]) -> None:
    assert sections["test_with_fixture"][0].startswith("parent '")


WORKER = """
import logging
import multiprocessing
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import pytest

from runtime import flow, get_run_logger, task
from runtime.task_runners import DaskTaskRunner
from tests.runtime.remote.carrier import Carrier

class OwnWarning(UserWarning):
    pass

@task
def talk():
    print("printed")
    get_run_logger().warning("logged %s", 1)
    warnings.warn("warned of", OwnWarning)

@task
def hang(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(100))

@pytest.fixture(scope="module")
def worker():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Carrier(pool)

@pytest.fixture
def talking(worker):
    @flow(task_runner=worker)
    def talking():
        talk.submit().result()
    return talking
"""


@pytest.fixture
def worker_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs tests whose tasks run in another process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=WORKER + tests)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run


def test_what_workers_say_reaches_pytest_as_if_it_were_said_here(worker_suite) -> None:
    result = worker_suite(
        """
def test_said(talking, capsys, caplog):
    with pytest.warns(OwnWarning, match="warned of") as caught:
        talking()
    assert caught[0].filename == __file__
    assert capsys.readouterr().out == "printed\\n"
    assert "logged 1" in [record.getMessage() for record in caplog.records]

def test_summary(talking):
    talking()
"""
    )

    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["test_it.py::test_summary", "*test_it.py:21: OwnWarning: warned of*"])


def test_what_is_an_error_here_is_one_in_workers(worker_suite) -> None:
    result = worker_suite(
        """
def test_error(talking):
    with pytest.raises(OwnWarning):
        talking()

@pytest.mark.filterwarnings("ignore")
def test_ignored(talking):
    talking()
""",
        "-W",
        "error::test_it.OwnWarning",
    )

    result.assert_outcomes(passed=2)


def test_a_failure_shows_what_workers_said(worker_suite) -> None:
    result = worker_suite("def test_fails(talking): talking(); assert 0")

    result.stdout.fnmatch_lines(
        [
            "*- worker output -*",
            "talk-0 on worker-1: printed",
            "talk-0 on worker-1: WARNING flows.task_runs: logged 1",
            "talk-0 on worker-1: *test_it.py:21: OwnWarning: warned of",
        ]
    )


@pytest.mark.slow
def test_a_test_that_takes_too_long_shows_what_threads_and_workers_were_doing(worker_suite) -> None:
    result = worker_suite(
        """
@pytest.fixture
def cluster(dask_cluster_factory):
    return dask_cluster_factory(n_workers=1, threads_per_worker=1, processes=True)

@pytest.mark.timeout(2, method="signal", func_only=True)
def test_hangs(cluster):
    @flow(task_runner=DaskTaskRunner(cluster=cluster))
    def waiting():
        hang.submit(60).result()
    waiting()
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- worker output -*",
            "hang-0 on tcp://*: time is nearly up for *",
            "*, in hang",
            "*- stacks -*",
            "MainThread",
            "*, in waiting",
        ]
    )


def test_a_task_that_takes_too_long_shows_what_threads_were_doing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import threading
        from runtime import flow, task

        stop = threading.Event()

        @task(timeout_seconds=0.1)
        def hang():
            while not stop.is_set():
                stop.wait(0.01)

        @flow
        def waiting():
            hang.submit().result()

        def test_hangs():
            waiting()
        """
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["*- stacks -*", "*, in hang", "    stop.wait(0.01)"])
