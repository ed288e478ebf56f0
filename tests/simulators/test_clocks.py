import pytest

from simulators.clocks import EPOCH, START, VirtualClock
from simulators.scheduling import Scheduler
from simulators.stacks import carriers


@pytest.fixture
def scheduler() -> Scheduler:
    scheduler = Scheduler(carriers("greenlets"))
    scheduler.begin(None)
    return scheduler


@pytest.fixture
def clock(scheduler: Scheduler) -> VirtualClock:
    return VirtualClock(scheduler)


def run(scheduler: Scheduler, job) -> None:
    scheduler.run(scheduler.lane("main"), job)


def test_time_begins_at_the_same_moment_and_stands_still(clock):
    assert (clock.time(), clock.monotonic()) == (EPOCH, START)
    assert (clock.time(), clock.monotonic()) == (EPOCH, START)


def test_a_wait_that_nobody_ends_lasts_for_its_timeout(scheduler, clock):
    seen: list[object] = []

    run(scheduler, lambda: seen.extend([clock.waiter().wait(2.5), clock.monotonic() - START]))

    assert seen == [False, 2.5]


def test_a_wait_ends_when_it_is_woken(scheduler, clock):
    waiter = clock.waiter()
    seen: list[object] = []

    def test() -> None:
        clock.call_at(START + 3, waiter.wake)
        seen.extend([waiter.wait(), clock.monotonic() - START])

    run(scheduler, test)

    assert seen == [True, 3.0]


def test_a_wait_that_was_woken_before_it_began_takes_no_time(scheduler, clock):
    waiter = clock.waiter()
    waiter.wake()
    seen: list[object] = []

    run(scheduler, lambda: seen.extend([waiter.wait(5), clock.monotonic()]))

    assert seen == [True, START]


def test_alarms_call_back_in_the_order_of_their_moments(scheduler, clock):
    called: list[str] = []

    def test() -> None:
        clock.call_at(START + 2, lambda: called.append("second"))
        clock.call_at(START + 1, lambda: called.append("first"))
        clock.call_at(START + 1.5, lambda: called.append("never")).cancel()
        clock.waiter().wait(3)

    run(scheduler, test)

    assert called == ["first", "second"]


def test_an_alarm_in_the_past_calls_back_at_once(scheduler, clock):
    called: list[float] = []

    def test() -> None:
        clock.call_at(START - 100, lambda: called.append(clock.monotonic()))
        clock.waiter().wait(1)

    run(scheduler, test)

    assert called == [START]


def test_the_moment_of_an_alarm_is_never_a_hair_too_early(scheduler, clock):
    seen: list[bool] = []

    def test() -> None:
        for n in range(1, 200):
            deadline = clock.monotonic() + n / 10
            clock.waiter().wait(n / 10)
            seen.append(clock.monotonic() >= deadline)

    run(scheduler, test)

    assert all(seen)
