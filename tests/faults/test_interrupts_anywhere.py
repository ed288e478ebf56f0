"""An interrupt at any moment leaves a history that is whole, a flow that has ended, and no thread."""

import asyncio
import itertools
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import runtime
from runtime import flow, interrupts, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

ENGINE = str(Path(runtime.__file__).parent)
OWN = str(Path(interrupts.__file__))


@task
def add(x, y):
    return x + y


@task
async def add_async(x, y):
    return x + y


@task(retries=1)
def fail():
    raise ValueError("no luck")


@flow
def inner(x):
    return add.submit(x, 1).result()


@flow
def everything():
    one = add.submit(1, 2)
    other = add_async.submit(one, 3)
    fail.submit(return_state=True)
    inner(add(one, other))
    add.map([1, 2], other)
    return "done"


@flow
async def everything_async():
    one = add.submit(1, 2)
    other = await add_async.submit(one, 3).result_async()
    await fail.submit().wait_async()
    await add_async(other, add(1, 2))
    return "done"


class SignalAtLine:
    """A trace function that sends SIGINT before the ``n``-th line that the engine runs on this thread."""

    def __init__(self, n):
        self.n = n
        self.lines = 0
        self.sent = False

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if not code.co_filename.startswith(ENGINE) or code.co_filename == OWN:
            return None
        # This very frame would pass for the user's code there, where a signal would not find any.
        return None if code in interrupts._calling_out else self.line

    def line(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                self.sent = True
                signal.raise_signal(signal.SIGINT)
        return self.line


def run_traced(run, n):
    """Run, with an interrupt before line ``n`` of the engine; returns the tracer and what was raised."""
    tracer = SignalAtLine(n)
    before = sys.gettrace()
    try:
        sys.settrace(tracer)
        try:
            run()
        finally:
            sys.settrace(before)
    except KeyboardInterrupt as error:
        return tracer, error
    return tracer, None


def runs(kind):
    if kind == "async":
        return lambda: asyncio.run(everything_async())
    runner = SequentialTaskRunner() if kind == "sequential" else ConcurrentTaskRunner()
    return everything.with_options(task_runner=runner)


def check_at_every(step, kind, store):
    """One run for every ``step``-th line of the engine."""
    run = runs(kind)
    ends = {"Crashed": 0, "Completed": 0, "Failed": 0}
    for n in itertools.count(1, step):
        known = len(store.flow_runs())
        tracer, error = run_traced(run, n)
        if not tracer.sent:
            break
        assert isinstance(error, KeyboardInterrupt)
        for flow_run in store.flow_runs()[known:]:  # none where it did not even begin
            ends[store.history(flow_run.id).states.final.name] += 1
    assert ends["Crashed"] > 0


@pytest.mark.parametrize("kind", ["sequential", "concurrent", "async"])
@pytest.mark.slow
def test_an_interrupt_at_many_lines_of_the_engine_is_raised_and_harmless(kind, store):
    check_at_every(61, kind, store)


@pytest.mark.parametrize("kind", ["sequential", "concurrent", "async"])
@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_an_interrupt_at_every_line_of_the_engine_is_raised_and_harmless(kind, store):
    check_at_every(1, kind, store)


@pytest.mark.parametrize("moment", [0.001 * n for n in range(1, 40, 3)])
def test_an_interrupt_at_any_time_crashes_a_busy_flow(runner, moment, store):
    main = threading.main_thread().ident

    @flow(task_runner=runner)
    def busy():
        timer.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            add.submit(add.submit(1, 2), 3)

    timer = threading.Timer(moment, signal.pthread_kill, (main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        busy()

    (flow_run,) = store.flow_runs()
    final = store.history(flow_run.id).states.final
    assert str(final) == "Crashed(message='Execution was aborted by an interrupt signal.', type=CRASHED)"


def test_an_interrupt_in_a_submitted_task_is_meant_for_the_flow(store):
    @task
    def interrupted():
        signal.raise_signal(signal.SIGINT)

    @flow(task_runner=SequentialTaskRunner())
    def submits():
        interrupted.submit()
        add.submit(1, 2)

    with pytest.raises(KeyboardInterrupt):
        submits()

    history = store.history(store.flow_runs()[0].id)
    assert history.states.names == ["Pending", "Running", "Crashed"]
    assert [run.short_name for run in history.task_runs] == ["interrupted-0"]


def test_an_interrupt_in_a_hook_arrives_in_the_flow(runner, store):
    hooked = []

    def hook(task, task_run, state):
        hooked.append(state.name)
        raise KeyboardInterrupt

    @flow(task_runner=runner)
    def waits():
        add.with_options(on_completion=[hook]).submit(1, 2).result()
        time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        waits()

    history = store.history(store.flow_runs()[0].id)
    assert history["add-0"].names == ["Pending", "Running", "Completed"]
    assert history.states.names[-1] == "Crashed"
    assert hooked == ["Completed"]


@pytest.mark.parametrize("timeout", [0.01 * n for n in range(1, 8)])
def test_a_timeout_at_any_time_leaves_the_work_of_the_engine_whole(runner, timeout, store):
    @task(timeout_seconds=timeout)
    def busy():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            add(add(1, 2), 3)

    @flow(task_runner=runner)
    def submits():
        return busy.submit()

    state = submits(return_state=True)

    assert state.data.name == "TimedOut"


@pytest.mark.parametrize("timeout", [0.01 * n for n in range(1, 8)])
def test_a_flow_that_is_stopped_at_any_time_leaves_the_work_of_the_engine_whole(runner, timeout, store):
    @flow(task_runner=runner, timeout_seconds=timeout)
    def busy():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            add.submit(add.submit(1, 2), 3)

    assert busy(return_state=True).name == "TimedOut"
