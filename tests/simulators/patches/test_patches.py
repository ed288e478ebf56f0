import datetime
import gc
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
import weakref

import pytest

from simulators import explore, replay
from simulators.exceptions import OutsideControl
from simulators.schedules import Schedule

FIFO = Schedule(points="operations")
module_lock = threading.Lock()


def simulated(test, **options):
    execution = replay(test, FIFO, **options)
    if execution.error is not None:
        raise execution.error
    return execution.result


def test_all_clocks_follow_virtual_time():
    def test() -> list[float]:
        before = [time.time(), time.monotonic(), time.perf_counter(), datetime.datetime.now().timestamp()]
        nanoseconds = time.time_ns()
        time.sleep(3600)
        after = [time.time(), time.monotonic(), time.perf_counter(), datetime.datetime.now().timestamp()]
        return [late - early for early, late in zip(before, after)] + [(time.time_ns() - nanoseconds) / 1e9]

    began = time.monotonic()

    assert simulated(test) == pytest.approx([3600] * 5, abs=1e-5)
    assert time.monotonic() - began < 60


def test_dates_are_dates_inside_and_outside():
    def test() -> tuple[datetime.datetime, bool, str]:
        now = datetime.datetime.now()
        return now, isinstance(now, datetime.datetime), datetime.date.today().isoformat()

    now, is_datetime, today = simulated(test)

    assert isinstance(now, datetime.datetime)
    assert is_datetime
    assert now.year == 2024
    assert today == "2024-01-01"
    assert datetime.datetime.now().year > 2024


def test_everything_is_put_back():
    def originals() -> list[object]:
        return [
            time.time, time.sleep, threading.Lock, threading.RLock, threading.Thread.start, queue.SimpleQueue,
            random.random, os.urandom, socket.socket.connect, datetime.datetime, module_lock,
        ]  # fmt: skip

    before = originals()

    explore(lambda: None, schedules=3, strategy="random")

    assert all(now is was for now, was in zip(originals(), before, strict=True))


def test_a_clock_that_is_read_again_and_again_goes_on():
    def test() -> None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pass

    began = time.monotonic()
    simulated(test)

    assert time.monotonic() - began < 60


def test_chance_follows_from_the_seed():
    def test() -> list[object]:
        return [random.random(), random.Random().random(), uuid.uuid4(), os.urandom(4), random.choice("abc")]

    assert simulated(test) == simulated(test)
    assert replay(test, Schedule(seed=1, points="operations")).result != simulated(test)


def test_a_lock_keeps_others_out_in_every_schedule():
    def test() -> None:
        lock, inside = threading.Lock(), []

        def enter() -> None:
            with lock:
                inside.append(1)
                time.sleep(0.01)
                assert len(inside) == 1
                inside.pop()

        threads = [threading.Thread(target=enter) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not any(thread.is_alive() for thread in threads)

    exploration = explore(test, strategy="random", schedules=50, points="operations")

    assert exploration.failures == []


def test_a_lock_that_a_module_made_is_one_of_the_simulation():
    def test() -> bool:
        with module_lock:
            return module_lock.acquire(timeout=5)

    began = time.monotonic()

    assert simulated(test) is False
    assert time.monotonic() - began < 60


def test_a_lock_may_be_taken_again_by_its_owner_alone():
    def test() -> list[bool]:
        lock, taken = threading.RLock(), []
        with lock, lock:
            other = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=1)))
            other.start()
            other.join()
        return taken

    assert simulated(test) == [False]


def test_releasing_what_nobody_holds_is_an_error():
    with pytest.raises(RuntimeError, match="unlocked"):
        simulated(lambda: threading.Lock().release())
    with pytest.raises(RuntimeError, match="un-acquired"):
        simulated(lambda: threading.RLock().release())


def test_a_barrier_an_event_and_a_queue_wait_for_each_other():
    def test() -> list[int]:
        barrier, event, handed = threading.Barrier(2), threading.Event(), queue.SimpleQueue()

        def other() -> None:
            barrier.wait()
            event.wait()
            handed.put(7)

        thread = threading.Thread(target=other)
        thread.start()
        barrier.wait()
        event.set()
        return [handed.get(timeout=10)]

    exploration = explore(test, strategy="random", schedules=50, points="operations")

    assert exploration.outcomes == {"[7]": 50}


def test_threads_of_earlier_schedules_are_forgotten():
    made: list[weakref.ref[threading.Thread]] = []

    def test() -> None:
        thread = threading.Thread(target=threading.current_thread)
        made.append(weakref.ref(thread))
        thread.start()
        thread.join()

    explore(test, strategy="random", schedules=5, points="operations")
    gc.collect()

    assert [thread() for thread in made] == [None] * 5


def test_threads_know_who_they_are():
    def test() -> tuple[bool, bool, int]:
        seen: list[object] = []
        thread = threading.Thread(
            target=lambda: seen.extend([threading.current_thread(), threading.get_ident()])
        )
        thread.start()
        thread.join(timeout=10)
        return seen[0] is thread, seen[1] == thread.ident, len({threading.get_ident(), thread.ident})

    assert simulated(test) == (True, True, 2)


def test_a_lock_that_was_made_in_a_simulation_works_afterwards():
    lock = simulated(threading.Lock)

    with lock:
        assert lock.locked()
        assert not lock.acquire(blocking=False)
    assert not lock.locked()


@pytest.mark.parametrize(
    ("leaves", "kind"),
    [
        (lambda: socket.create_connection(("127.0.0.1", 9)), "sockets"),
        (lambda: subprocess.run([sys.executable, "-V"], check=True), "processes"),
        (lambda: os.system("true"), "processes"),
    ],
    ids=["socket", "subprocess", "system"],
)
def test_what_leads_outside_is_refused_with_a_word_on_how_to_allow_it(leaves, kind):
    with pytest.raises(OutsideControl, match=rf"allow=\['{kind}'\]"):
        simulated(leaves)


def test_what_is_allowed_happens():
    def test() -> int:
        return subprocess.run([sys.executable, "-c", ""], check=False).returncode

    assert simulated(test, allow=["processes"]) == 0


def test_code_that_is_not_simulated_sees_the_real_things():
    seen: list[float] = []
    ready, go = threading.Event(), threading.Event()

    def outside() -> None:
        ready.set()
        go.wait(30)
        seen.append(time.time())

    thread = threading.Thread(target=outside)
    thread.start()
    ready.wait(30)

    simulated(go.set)
    thread.join(30)

    assert abs(seen[0] - time.time()) < 60
