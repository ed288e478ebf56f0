"""Ctrl-C: once to stop in good order, twice to leave."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]

WAITING = """
import asyncio
import signal
import sys
import threading

from runtime import flow, get_run_logger, task

@task
def stuck():
    get_run_logger().info("waiting")
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

@flow
def by_result():
    stuck.submit().result()

@flow
def at_the_end():
    stuck.submit()

@flow
async def asynchronous():
    get_run_logger().info("waiting")
    await asyncio.sleep(600)

def interrupt_elsewhere(waits_in):  # too late to end the main thread's wait: another thread gets it
    main = threading.main_thread().ident
    while not sys._current_frames()[main].f_code.co_filename.endswith(waits_in):
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

def begin(waits_in):
    threading.Thread(target=interrupt_elsewhere, args=[waits_in], daemon=True).start()

@flow
async def late_asynchronous():
    begin("selectors.py")
    await asyncio.sleep(600)

@flow
def late():
    future = stuck.submit()
    begin("clocks.py")
    future.result()
"""


@pytest.fixture
def waiting(folder: Path, start: Start) -> Callable[..., "subprocess.Popen[str]"]:
    """A flow that runs and will not end by itself."""
    (folder / "waiting.py").write_text(WAITING)

    def start_waiting(flow: str, **environment: str) -> "subprocess.Popen[str]":
        process = start("run", f"waiting.py:{flow}", **environment)
        read_until(process, "waiting")
        return process

    return start_waiting


@pytest.mark.slow
@pytest.mark.parametrize("flow", ["by_result", "at_the_end", "asynchronous"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_flow_crashes_in_good_order(
    waiting: Start, flow: str, number: signal.Signals, code: int
) -> None:
    process = waiting(flow, FLOWS_INTERRUPT_GRACE="0.1")

    process.send_signal(number)
    output, errors = process.communicate(timeout=30)

    assert process.returncode == code
    assert "Stopping; press Ctrl-C again to leave at once." in errors
    assert "Shutting down task runner" in errors
    assert "finished in state Crashed(" in errors.splitlines()[-1]
    assert "Crashed in" in output
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("flow", ["late", "late_asynchronous"])
def test_an_interrupt_that_comes_too_late_to_end_a_wait_is_heard_all_the_same(
    start: Start, folder: Path, flow: str
) -> None:
    (folder / "waiting.py").write_text(WAITING)

    process = start("run", f"waiting.py:{flow}", FLOWS_INTERRUPT_GRACE="0.1")
    output, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "finished in state Crashed(" in errors.splitlines()[-1]
    assert "Crashed in" in output


@pytest.mark.slow
def test_a_second_interrupt_leaves_at_once(waiting: Start) -> None:
    process = waiting("by_result", FLOWS_INTERRUPT_GRACE="600")

    process.send_signal(signal.SIGINT)
    read_until(process, "Stopping; press Ctrl-C again")
    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130


@pytest.mark.slow
def test_an_interrupt_while_the_file_is_imported_ends_the_command(start: Start, folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import sys, threading\nprint('waiting', file=sys.stderr)\nthreading.Event().wait()\n"
    )
    process = start("run", "slow.py:it")
    read_until(process, "waiting")

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read the log up to a line that holds ``text``; the timeout of the test is the limit."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        if text in line:
            return
        lines.append(line)
    pytest.fail(f"{text!r} never came, but: {lines}")
