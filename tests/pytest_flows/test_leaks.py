"""What a test leaves behind is reported with who made it, and can be an error."""

from collections.abc import Callable

import pytest

SUITE = """
import os
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

from runtime import flow, task

@task
def nothing():
    pass

@flow
def runs():
    nothing.submit()

kept = []

def serve():
    server = socket.create_server(("127.0.0.1", 0))
    kept.append(server)

def sleep():
    kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

def wait():
    stop = threading.Event()
    kept.append(stop)
    threading.Thread(target=stop.wait, name="waiter", daemon=True).start()
"""

STOP = """
@pytest.fixture(scope="session", autouse=True)
def ended():
    yield
    for each in kept:
        if isinstance(each, threading.Event):
            each.set()
        elif isinstance(each, subprocess.Popen):
            each.communicate()
        elif hasattr(each, "close"):
            each.close()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Runs tests that may leave something."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=SUITE + STOP + tests)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run


OTHERS = "subprocess.run([sys.executable, '-c', '']), subprocess.run(['true'])"
LEAKS = {
    "thread": ("wait()", "thread 'waiter', from *test_it.py:*, in wait"),
    "process": ("sleep()", "process * (*), from *test_it.py:*, in sleep"),
    "one_of_many_processes": (f"{OTHERS}, sleep()", "process * (*), from *test_it.py:*, in sleep"),
    "port": ("serve()", "port *, from *test_it.py:*, in serve"),
    "folder": ("tempfile.mkdtemp()", "folder *, from *test_it.py:*, in test_folder"),
    "variable": ("os.environ['LEFT'] = '1'", "variable LEFT is '1', from *test_it.py:*, in test_variable"),
    "lost": ("del os.environ['HOME']", "variable HOME is gone, from *test_it.py:*, in test_lost"),
    "working_folder": ("os.chdir('/')", "working folder is /, from *test_it.py:*, in test_working_folder"),
}


def test_what_is_left_is_listed_with_its_creator(suite) -> None:
    tests = [f"def test_{name}(): {code}" for name, (code, _) in LEAKS.items()]

    result = suite("\n\n".join([*tests, "def test_next(): pass"]))

    result.assert_outcomes(passed=len(LEAKS) + 1)
    result.stdout.fnmatch_lines(
        ["*= left behind =*", *(f"test_it.py::test_{name}: {told}" for name, (_, told) in LEAKS.items())]
    )
    # neither the next test nor one that leaves another thing is blamed for it
    assert result.stdout.str().count(", from ") == len(LEAKS)


def test_what_is_left_is_not_held_against_the_next_test_too(suite) -> None:
    tests = "def test_leaks(): serve()\n\ndef test_next(): pass\n\ndef test_last(): pass"

    suite(tests, "--flows-leaks=error").assert_outcomes(passed=3, errors=1)


def test_what_is_left_can_be_an_error(suite) -> None:
    result = suite("def test_leaks(): wait()\n\ndef test_next(): pass", "--flows-leaks=error")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_leaks*", "The test leaves behind", "thread 'waiter'*"]
    )


def test_the_configuration_file_can_make_it_an_error(suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nflows_leaks = error")

    suite("def test_leaks(): wait()\n\ndef test_next(): pass").assert_outcomes(passed=2, errors=1)


def test_a_mode_that_is_none_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nflows_leaks = loud")

    result = pytester.runpytest()

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*flows_leaks = loud: expected off, report, error"])


def test_nobody_looks_where_it_is_switched_off(suite) -> None:
    result = suite("def test_leaks(): wait()\n\ndef test_next(): pass", "--flows-leaks=off")

    result.stdout.no_fnmatch_line("*left behind*")


def test_fixtures_that_tests_share_keep_what_they_start(suite) -> None:
    result = suite(
        """
@pytest.fixture(scope="module")
def shared():
    wait()
    sleep()
    serve()
    tempfile.mkdtemp()
    os.environ["LEFT"] = "1"
    yield
    del os.environ["LEFT"]

def test_first(shared): pass

def test_second(shared): pass
""",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=2)


def test_pools_that_tests_share_start_what_they_need_when_it_is_needed(suite) -> None:
    result = suite(
        """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

class Box:
    def __init__(self, pool):
        self.pool = pool

@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(1) as pool:
        yield Box(pool)

@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Box(pool)

def test_first(threads, processes):
    assert threads.pool.submit(int).result() == processes.pool.submit(int).result() == 0

def test_leaks_beside_a_pool(threads):
    wait()

@pytest.fixture
def own():
    sleep()
    return kept[-1]

def test_leaks_with_a_fixture_of_its_own(threads, own, pytestconfig): pass

def test_last(threads): pass
""",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(["thread 'waiter', from *", "process *, in sleep"])


def test_what_a_test_ends_itself_is_no_leak(suite) -> None:
    result = suite(
        """
def test_ends(monkeypatch, tmp_path):
    monkeypatch.setenv("LEFT", "1")
    monkeypatch.chdir(tmp_path)
    runs()
    thread = threading.Thread(target=runs)
    thread.start()
    with tempfile.TemporaryDirectory(), socket.create_server(("127.0.0.1", 0)):
        pass
    subprocess.run([sys.executable, "-c", ""], check=True)
    sleep()
    kept.pop().communicate()
""",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=1)


def test_a_thread_that_python_did_not_start_is_no_leak_when_it_has_ended(suite) -> None:
    result = suite(
        """
import _thread

def test_ends():
    noticed = threading.Event()
    def look():
        threading.current_thread()  # on Python 3.11 listed for ever
        noticed.set()
    _thread.start_new_thread(look, ())
    assert noticed.wait(10)
""",
        "--flows-leaks=error",
    )

    result.assert_outcomes(passed=1)


def test_a_suite_may_forgive(suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        def pytest_flows_leaked(item, leaks):
            leaks[:] = [leak for leak in leaks if leak.kind != "thread"]
        """
    )

    result = suite("def test_leaks(): wait()\n\ndef test_next(): pass", "--flows-leaks=error")

    result.assert_outcomes(passed=2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_clusters_of_the_session_are_no_leak(suite) -> None:
    result = suite(
        """
from runtime.task_runners import DaskTaskRunner

def test_first(): runs()

def test_second(): runs()

@pytest.mark.task_runners("dask")
def test_own_cluster(dask_cluster_factory):
    cluster = dask_cluster_factory(n_workers=1, processes=True)
    runs.with_options(task_runner=DaskTaskRunner(cluster=cluster))()

@pytest.mark.task_runners("dask")
def test_temporary_cluster():
    runs.with_options(task_runner=DaskTaskRunner(cluster_kwargs={"n_workers": 1}))()
""",
        "--flows-leaks=error",
        "--task-runner=all",
    )

    result.assert_outcomes(passed=12)
