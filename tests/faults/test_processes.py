"""Faults that end the process, or try to: each in a process of its own."""

import signal
import subprocess
import sys
import textwrap

import pytest

from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

SETUP = """
    import os, signal, sys, threading, time
    from runtime import flow, task
    from runtime.context import default_environment
    from runtime.history import MemoryHistoryStore
    from runtime.history.guarantees import violations
    from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

    store = MemoryHistoryStore()

    @task
    def block():
        print("blocked", flush=True)
        while True:
            time.sleep(0.01)

    @task
    def sit():
        print("blocked", flush=True)
        time.sleep(60)

    def run(flow):
        with default_environment(store=store):
            try:
                flow()
            finally:
                history = store.history(store.flow_runs()[0].id)
                print(history.states.names, history.states.final.message, violations(history), flush=True)
                threads = [t for t in threading.enumerate() if t is not threading.main_thread()]
                for thread in threads:
                    thread.join(5)
                print("left:", [t.name for t in threads if t.is_alive()], flush=True)
"""

RUNNERS = ["SequentialTaskRunner()", "ConcurrentTaskRunner()"]


@pytest.fixture
def start(tmp_path):
    """Starts a script, and ends it with the test."""
    processes = []

    def start(body):
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(SETUP) + textwrap.dedent(body))
        process = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def when_blocked(process, *signals):
    """Send signals once a task blocks; returns what the process printed, and its exit code."""
    assert process.stdout.readline() == "blocked\n"
    for number in signals:
        process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    return output.splitlines(), process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, -signal.SIGINT, "Execution was aborted by an interrupt signal."),
        (signal.SIGTERM, 128 + signal.SIGTERM, "Execution was aborted by a termination signal."),
    ],
    ids=["interrupt", "terminate"],
)
@pytest.mark.parametrize("call", ["submit", "__call__"])
def test_a_signal_crashes_the_flow_which_is_recorded(start, runner, number, code, message, call):
    process = start(f"""
        @flow(task_runner={runner})
        def blocks():
            block.{call}()

        run(blocks)
    """)

    lines, exit_code = when_blocked(process, number)

    assert lines == [f"['Pending', 'Running', 'Crashed'] {message} []", "left: []"]
    assert exit_code == code


@pytest.mark.slow
def test_a_second_interrupt_leaves_tasks_behind_that_do_not_stop(start, monkeypatch):
    monkeypatch.setenv("FLOWS_INTERRUPT_GRACE", "300")
    process = start("""
        @flow(task_runner=ConcurrentTaskRunner())
        def waits():
            future = sit.submit()
            threading.Thread(target=watch, args=(future,), daemon=True).start()
            time.sleep(60)

        def watch(future):
            while not future.get_state().is_cancelling():
                time.sleep(0.01)
            print("told to stop", flush=True)

        with default_environment(store=store):
            try:
                waits()
            finally:
                print(store.history(store.flow_runs()[0].id).states.names, flush=True)
                os._exit(7)
    """)

    assert process.stdout.readline() == "blocked\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "told to stop\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)

    assert output == "['Pending', 'Running', 'Crashed']\n"
    assert process.returncode == 7


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_an_async_flow_is_interrupted_in_good_order(start, runner):
    process = start(f"""
        import asyncio

        @task
        async def wait():
            print("blocked", flush=True)
            await asyncio.sleep(60)

        @flow(task_runner={runner})
        async def waits():
            await wait.submit().result_async()

        run(lambda: asyncio.run(waits()))
    """)

    lines, exit_code = when_blocked(process, signal.SIGINT)

    assert lines == [
        "['Pending', 'Running', 'Crashed'] Execution was cancelled by the runtime environment. []",
        "left: []",
    ]
    assert exit_code == -signal.SIGINT


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_task_that_ends_the_process_ends_it(start, runner):
    process = start(f"""
        @task
        def leave():
            os._exit(3)

        @flow(task_runner={runner})
        def leaves():
            leave.submit()

        leaves()
    """)

    process.communicate(timeout=30)

    assert process.returncode == 3


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_task_without_memory_fails_and_the_flow_goes_on(start, runner):
    process = start(f"""
        import resource

        @task
        def hog():
            return bytearray(8 * 2**30)

        @task
        def add(x, y):
            return x + y

        @flow(task_runner={runner})
        def hogs():
            failed = hog.submit().result(raise_on_failure=False)
            return type(failed).__name__, add.submit(1, 2).result()

        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
        print(hogs(), flush=True)
    """)

    output, _ = process.communicate(timeout=30)

    assert output == "('MemoryError', 3)\n"
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_system_exit_in_a_task_does_not_end_the_process(start, runner):
    process = start(f"""
        @task
        def leave():
            sys.exit("bye")

        @flow(task_runner={runner})
        def leaves():
            leave.submit()
            return "still here"

        print(leaves(), flush=True)
    """)

    output, _ = process.communicate(timeout=30)

    assert output == "still here\n"


@pytest.mark.parametrize(
    "kind", [SequentialTaskRunner, ConcurrentTaskRunner], ids=["sequential", "concurrent"]
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_made_in_a_task_is_no_part_of_the_flow(kind, observe):
    import multiprocessing

    from runtime import flow, task

    @task
    def forks():
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe()
        child = context.Process(target=lambda: sender.send("from the child"))
        child.start()
        child.join()
        return receiver.recv()

    @flow(task_runner=kind())
    def asks():
        return forks.submit().result()

    assert observe(asks).result == "from the child"
