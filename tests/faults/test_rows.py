"""Faults that tasks and their surroundings may have, on the runners of this process."""

import logging
import os
import threading
import time

import pytest

from runtime import flow, get_run_logger, task
from runtime.clocks import SystemClock
from runtime.context import default_environment
from runtime.task_runners import ConcurrentTaskRunner


@task
def add(x, y):
    return x + y


@task
def block(gate, ledger=None):
    gate.wait()
    if ledger is not None:
        ledger.write("ended")


class JumpingClock(SystemClock):
    """Wall time that jumps an hour back and forth each time it is read."""

    def __init__(self):
        super().__init__()
        self._hours = 0

    def time(self):
        self._hours = 1 - self._hours
        return time.time() - 3600 * self._hours


def test_a_task_that_sits_in_c_times_out_and_its_thread_is_counted_and_named(observe, caplog):
    held = threading.Lock()
    held.acquire()
    runner = []

    @task(timeout_seconds=0.05)
    def sits():
        held.acquire()

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def waits():
        from runtime import get_run_context

        runner.append(get_run_context().scope.runner)
        timed_out = sits.submit().wait().name
        after = add.submit(1, 2).result()
        return timed_out, after, runner[0].abandoned

    try:
        observed = observe(waits)
    finally:
        held.release()

    assert observed.result == ("TimedOut", 3, 1)
    assert "A thread is left behind: task run 'sits-" in caplog.text


def test_a_running_sync_task_is_cancelled_and_its_slot_is_free(observe, gate, ledger):
    @task
    def spins():
        ledger.write("started")
        while True:
            time.sleep(0.001)

    @flow(task_runner=ConcurrentTaskRunner(max_workers=1))
    def cancels():
        spinning = spins.submit()
        while not ledger.lines:
            spinning.wait(0.001)
        spinning.cancel()
        return add.submit(1, 2).result(), spinning.wait().name

    observed = observe(cancels)

    assert observed.result == (3, "Cancelled")
    assert observed.history["spins-0"].names == ["Pending", "Running", "Cancelling", "Cancelled"]


def test_a_retry_that_raises_something_else_reports_what_came_last(runner, observe, ledger):
    @task(retries=1)
    def changes_its_mind():
        ledger.write("attempt")
        raise [ValueError("first"), KeyError("second")][len(ledger.lines) - 1]

    @flow(task_runner=runner)
    def tries():
        return repr(changes_its_mind.submit().result(raise_on_failure=False))

    observed = observe(tries)

    assert observed.result == "KeyError('second')"
    assert [change.attempt for change in observed.history["changes_its_mind-0"]] == [0, 1, 1, 2, 2]


def test_wall_time_that_jumps_changes_neither_order_nor_delays(runner, observe, ledger):
    @task(retries=2, retry_delay_seconds=0.01, timeout_seconds=30)
    def third_time():
        ledger.write("attempt")
        if len(ledger.lines) < 3:
            raise ValueError("not yet")

    @flow(task_runner=runner)
    def waits():
        third_time.submit()

    began = time.monotonic()
    with default_environment(clock=JumpingClock()):
        history = observe(waits).history

    assert history["third_time-0"].names[-1] == "Completed"
    assert 0.02 <= history.states[-1].elapsed <= time.monotonic() - began
    assert [change.index for change in history] == list(range(len(history)))


def test_a_thread_that_a_task_leaves_behind_does_not_hold_up_the_flow(runner, observe, gate):
    threads = []

    @task
    def leaves():
        threads.append(threading.Thread(target=gate.wait, daemon=True))
        threads[0].start()

    @flow(task_runner=runner)
    def ends():
        leaves.submit()

    observed = observe(ends)
    alive = threads[0].is_alive()
    gate.open()
    threads[0].join(10)

    assert observed.state.is_completed()
    assert alive


class BrokenHandler(logging.Handler):
    def emit(self, record):
        raise RuntimeError("broken handler")


@pytest.mark.parametrize(
    "text", ["\ud800 alone", "x" * 100_000, "100% {braces}"], ids=["surrogate", "long", "format"]
)
def test_what_is_logged_never_changes_an_outcome(runner, observe, caplog, text):
    @task
    def speaks():
        get_run_logger().info(text)

    @flow(task_runner=runner)
    def listens():
        speaks.submit()

    caplog.set_level(logging.INFO)

    assert observe(listens).state.is_completed()
    assert text in caplog.messages


def test_ten_thousand_lines_do_not_change_an_outcome(runner, observe, caplog):
    @task
    def speaks():
        logger = get_run_logger()
        for n in range(10_000):
            logger.debug("line %d", n)

    @flow(task_runner=runner)
    def listens():
        speaks.submit()

    assert observe(listens).state.is_completed()


def test_a_log_handler_that_raises_never_changes_an_outcome(runner, observe):
    @task
    def fails():
        raise ValueError("no luck")

    @flow(task_runner=runner)
    def works():
        fails.submit()
        return add.submit(1, 2).result()

    logger, handler = logging.getLogger("flows"), BrokenHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        observed = observe(works)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)

    assert observed.result == 3
    assert observed.history["fails-0"].names == ["Pending", "Running", "Failed"]


def test_secrets_among_the_parameters_are_in_no_history(observe):
    @flow
    def signs_in(password, user):
        return user

    history = observe(signs_in, "hunter2", user={"api_key": "abc123"}).history

    assert "hunter2" not in history.to_json()
    assert "abc123" not in history.to_json()


def test_another_folder_or_environment_is_the_task_s_own_affair(runner, observe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWS_TEST", "before")
    (tmp_path / "elsewhere").mkdir()

    @task
    def moves():
        os.chdir("elsewhere")
        os.environ["FLOWS_TEST"] = "after"

    @flow(task_runner=runner)
    def looks():
        moves.submit().wait()
        return os.environ["FLOWS_TEST"], add.submit(1, 2).result()

    assert observe(looks).result == ("after", 3)
