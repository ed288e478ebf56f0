import threading

import pytest

from runtime import flow, task
from simulators import Schedule, SimulatedTaskRunner, replay
from simulators.exceptions import Livelock
from simulators.scheduling import Scheduler
from simulators.stacks import carriers
from simulators.watchdog import watched


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

    assert replay(test, Schedule(points="operations")).result == ["first", "second"]


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

    assert "main has run for" in str(raised[0])
    assert "test_watchdog.py" in str(raised[0])


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
