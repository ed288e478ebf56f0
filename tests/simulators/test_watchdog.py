import io
import re
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest

from runtime import flow, task
from simulators import SimulatedTaskRunner, checkpoint, conditions, explore
from simulators.exceptions import Livelock
from simulators.scheduling import Scheduler
from simulators.stacks import carriers
from simulators.watchdog import watched


@pytest.fixture(params=[False, True], ids=["quiet", "busy"])
def surroundings(request):
    """Another thread of the process, outside of all simulations, that computes or not."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute if request.param else stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("surroundings")
def test_a_real_lock_that_another_stack_holds_does_not_hang():
    class Owner:
        def __init__(self) -> None:
            self.lock = threading.Lock()  # in an attribute, made outside: nobody replaces it
            self.order: list[str] = []

    owner = Owner()

    def test() -> list[str]:
        gate = threading.Event()

        def holds() -> None:
            with owner.lock:
                gate.set()
                threading.Event().wait(0.5)
                owner.order.append("first")

        thread = threading.Thread(target=holds)
        thread.start()
        gate.wait()
        with owner.lock:
            owner.order.append("second")
        thread.join()
        return owner.order

    exploration = explore(test, points="operations", strategy="fifo")

    (named,) = exploration.outside_control
    assert exploration.outcomes == {"['first', 'second']": 1}
    assert re.fullmatch(r"main waits for what the simulation does not know at .*test_watchdog.py:\d+", named)
    assert str(exploration.certificate).endswith("; 1 lines outside control")
    assert not exploration.complete


@pytest.mark.slow
def test_the_report_of_a_failure_names_what_is_outside_control():
    lock = threading.Lock()
    holder = SimpleNamespace(lock=lock)

    def test() -> None:
        def holds() -> None:
            with holder.lock:
                time.sleep(0.5)

        thread = threading.Thread(target=holds)
        thread.start()
        checkpoint()
        time.sleep(0.1)
        with holder.lock:
            raise ValueError("found")

    failure = explore(test, points="operations", strategy="fifo").failures[0]

    assert isinstance(failure.error, ValueError)
    assert "Outside of control: main waits for what the simulation does not know at " in str(failure)


def test_code_that_never_comes_to_a_point_is_a_livelock_that_names_the_line():
    scheduler = Scheduler(carriers("greenlets"))
    raised: list[BaseException] = []

    def spin() -> None:
        try:
            while True:
                pass
        except Livelock as error:
            raised.append(error)

    with watched(scheduler, patience=0.05, limit=0.5):
        scheduler.begin(None)
        scheduler.run(scheduler.lane("main"), spin)

    assert re.match(r"main has not come to a point for \d+ s: it runs on at ", str(raised[0]))
    assert "test_watchdog.py" in str(raised[0])


def test_where_nobody_can_step_in_a_word_is_said(monkeypatch):
    # A stream in memory: capfd loses what is written while it reads and cuts off its file.
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", said)

    def spin() -> None:
        limit = time.monotonic() + 30
        while not said.getvalue().endswith("\n") and time.monotonic() < limit:
            pass

    def explore_on_another_thread() -> None:
        scheduler = Scheduler(carriers("greenlets"))
        with watched(scheduler, patience=0.02, limit=0.1):
            scheduler.begin(None)
            scheduler.run(scheduler.lane("main"), spin)
        scheduler.carriers.close()

    thread = threading.Thread(target=explore_on_another_thread)
    thread.start()
    thread.join()

    assert re.match(
        r"main has not come to a point for \d+ s: it .* at .*\.py:\d+ \(perhaps ", said.getvalue()
    )


@pytest.fixture
def impatient(monkeypatch):
    """What is half a minute elsewhere is a third of a second."""
    monkeypatch.setattr(conditions, "watched", partial(watched, patience=0.1, limit=0.3))


@pytest.mark.usefixtures("impatient")
def test_a_real_lock_between_threads_is_a_failure_that_says_who_stands_where():
    holder = SimpleNamespace(lock=threading.Lock())
    freed = threading.Event()

    def test() -> None:
        def holds() -> None:
            try:
                with holder.lock:
                    checkpoint()
                    time.sleep(3600)
            finally:
                freed.set()

        thread = threading.Thread(target=holds)
        thread.start()
        checkpoint()
        with holder.lock:
            checkpoint()
        thread.join()

    found = explore(test, points="declared", strategy="random", schedules=50, stacks="threads")

    failure = found.failures[0]
    assert isinstance(failure.error, Livelock)
    assert re.fullmatch(
        r"main has not come to a point for \d+ s: it .* at .*test_watchdog\.py:\d+ \(perhaps .*\); "
        r"meanwhile no turn came to .+",
        str(failure.error),
    )
    assert failure.shrunk == failure.schedule
    assert freed.is_set()


@pytest.mark.usefixtures("impatient")
def test_a_thread_that_never_comes_to_a_point_is_left_behind_and_ends():
    ended = threading.Event()

    def test() -> None:
        try:
            while True:
                pass
        finally:
            ended.set()

    (failure,) = explore(test, points="declared", strategy="fifo", stacks="threads").failures

    assert re.match(
        r"main has not come to a point for \d+ s: it runs on at .*test_watchdog\.py", str(failure.error)
    )
    assert ended.wait(30)


def test_a_task_that_computes_for_too_long_times_out():
    @task(timeout_seconds=0.2)
    def spin() -> None:
        while True:
            pass

    @flow(task_runner=SimulatedTaskRunner())
    def impatient() -> str:
        return spin.submit().wait().name

    assert impatient() == "TimedOut"


@pytest.mark.parametrize("stacks", ["greenlets", "threads"])
def test_carriers_are_used_again_and_end(stacks):
    scheduler = Scheduler(carriers(stacks))
    seen: list[int] = []

    for n in range(3):
        scheduler.begin(None)
        scheduler.run(scheduler.lane("main"), lambda n=n: seen.append(n))
    scheduler.carriers.close()

    assert seen == [0, 1, 2]
