"""The clock of this machine."""

import gc
import queue
import threading
import time
import weakref

import pytest

from runtime.clocks import SystemClock

LIMIT = 10.0


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def held_up(clock):
    """The alarm thread does nothing until this is set."""
    go_on = threading.Event()
    clock.call_at(float("-inf"), lambda: go_on.wait(LIMIT))
    yield go_on
    go_on.set()


def alarm_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "flows-alarms"]


def test_it_tells_the_time_of_the_machine(clock):
    assert abs(clock.time() - time.time()) < 5
    assert clock.monotonic() <= time.monotonic() <= clock.monotonic()


def test_an_alarm_rings_when_its_moment_has_come_and_not_before(clock):
    rang = threading.Event()
    moments = []
    due = clock.monotonic() + 0.02

    clock.call_at(due, lambda: (moments.append(clock.monotonic()), rang.set()))

    assert rang.wait(LIMIT)
    assert moments[0] >= due


def test_an_alarm_of_the_past_rings_at_once(clock):
    rang = threading.Event()

    clock.call_at(clock.monotonic() - 60, rang.set)

    assert rang.wait(LIMIT)


def test_alarms_ring_in_the_order_of_their_moments(clock, held_up):
    rang = []
    over = threading.Event()
    now = clock.monotonic()

    clock.call_at(now, lambda: (rang.append("last"), over.set()))
    clock.call_at(now - 2, lambda: rang.append("first"))
    clock.call_at(now - 1, lambda: rang.append("second"))
    held_up.set()

    assert over.wait(LIMIT)
    assert rang == ["first", "second", "last"]


def test_alarms_of_one_moment_ring_in_the_order_in_which_they_were_set(clock, held_up):
    rang = []
    over = threading.Event()
    moment = clock.monotonic()

    for number in range(20):
        clock.call_at(moment, lambda number=number: rang.append(number))
    clock.call_at(moment, over.set)
    held_up.set()

    assert over.wait(LIMIT)
    assert rang == list(range(20))


def test_a_cancelled_alarm_does_not_ring(clock, held_up):
    rang = []
    over = threading.Event()
    moment = clock.monotonic()

    cancelled = clock.call_at(moment, lambda: rang.append("cancelled"))
    clock.call_at(moment, over.set)
    cancelled.cancel()
    cancelled.cancel()
    held_up.set()

    assert over.wait(LIMIT)
    assert rang == []


def test_an_alarm_that_rang_can_be_cancelled_to_no_effect(clock):
    rang = threading.Event()
    alarm = clock.call_at(clock.monotonic(), rang.set)
    assert rang.wait(LIMIT)

    alarm.cancel()


def test_an_alarm_may_set_another_one(clock):
    rang = threading.Event()

    clock.call_at(clock.monotonic(), lambda: clock.call_at(clock.monotonic() + 0.01, rang.set))

    assert rang.wait(LIMIT)


def test_all_alarms_ring_on_one_thread_which_ends_with_the_last_of_them(clock, held_up):
    threads = []
    for _ in range(5):
        clock.call_at(clock.monotonic(), lambda: threads.append(threading.current_thread()))
    [thread] = alarm_threads()
    held_up.set()

    thread.join(LIMIT)
    assert not thread.is_alive()
    assert threads == [thread] * 5
    assert thread.daemon


def test_the_thread_ends_also_when_the_last_alarm_is_cancelled(clock):
    far = clock.monotonic() + 3600
    alarms = [clock.call_at(far + number, lambda: None) for number in range(3)]
    [thread] = alarm_threads()

    for alarm in alarms:
        alarm.cancel()

    thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_clock_can_be_used_again_after_its_thread_ended(clock):
    for _ in range(3):
        rang = threading.Event()
        clock.call_at(clock.monotonic(), rang.set)
        assert rang.wait(LIMIT)
        for thread in alarm_threads():
            thread.join(LIMIT)
        assert not alarm_threads()


def test_an_alarm_farther_than_a_thread_can_wait_is_no_trouble(clock):
    rang = threading.Event()
    far = clock.call_at(clock.monotonic() + 10 * threading.TIMEOUT_MAX, lambda: None)
    clock.call_at(clock.monotonic() + 0.01, rang.set)

    assert rang.wait(LIMIT)
    far.cancel()


def test_a_cancelled_alarm_lets_go_of_what_it_would_have_called(clock):
    class Heavy:
        def ring(self):
            pass

    heavy = Heavy()
    alarm = clock.call_at(clock.monotonic() + 3600, heavy.ring)
    gone = weakref.ref(heavy)

    alarm.cancel()
    del heavy
    gc.collect()

    assert gone() is None


def test_one_alarm_that_raises_does_not_silence_the_others(clock, held_up, monkeypatch):
    complaints = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", complaints.put)
    rang = threading.Event()

    def broken():
        raise KeyError("broken")

    clock.call_at(clock.monotonic() - 1, broken)
    clock.call_at(clock.monotonic(), rang.set)
    held_up.set()

    assert rang.wait(LIMIT)
    assert type(complaints.get(timeout=LIMIT).exc_value) is KeyError


# Waiters


def test_a_waiter_waits_until_it_is_woken(clock):
    waiter = clock.waiter()
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (waiter.wait(LIMIT), ended.set()))
    thread.start()

    assert not ended.is_set()
    waiter.wake()

    assert ended.wait(LIMIT)
    thread.join(LIMIT)


def test_a_waiter_that_was_woken_before_does_not_wait(clock):
    waiter = clock.waiter()
    waiter.wake()
    waiter.wake()

    assert waiter.wait()


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
def test_a_waiter_gives_up_after_its_time(clock, timeout):
    assert not clock.waiter().wait(timeout)


def test_a_waiter_may_wait_for_longer_than_a_thread_can(clock):
    waiter = clock.waiter()
    waiter.wake()

    assert waiter.wait(10 * threading.TIMEOUT_MAX)


def test_many_may_wake_a_waiter_at_once(clock):
    for _ in range(200):
        waiter = clock.waiter()
        begin = threading.Barrier(4)

        def wake():
            begin.wait(LIMIT)
            waiter.wake()

        threads = [threading.Thread(target=wake) for _ in range(3)]
        for thread in threads:
            thread.start()
        begin.wait(LIMIT)

        assert waiter.wait(LIMIT)
        for thread in threads:
            thread.join(LIMIT)
