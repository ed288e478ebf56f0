"""Locks, conditions, semaphores and queues, each used almost right."""

import queue
import threading
from collections import deque

from runtime import flow, task


def lock_inversion() -> None:
    """Two tasks take the same two locks, one the other way round."""
    first, second = threading.Lock(), threading.Lock()

    @task
    def forth() -> None:
        with first, second:
            pass

    @task
    def back() -> None:
        with second, first:
            pass

    @flow
    def both() -> None:
        forth.submit()
        back.submit()

    both()


def dining_philosophers() -> None:
    """Three of them, each with the left fork in hand, wait for the right one."""
    forks = [threading.Lock() for _ in range(3)]

    @task
    def dine(seat: int) -> None:
        with forks[seat], forks[(seat + 1) % 3]:
            pass

    @flow
    def dinner() -> None:
        dine.map([0, 1, 2])

    dinner()


def missed_notification() -> None:
    """The one who waits looks first and waits then; told in between, it waits for ever."""
    condition = threading.Condition()
    box: list[int] = []

    @task
    def take() -> int:
        if not box:
            with condition:
                condition.wait()
        return box.pop()

    @task
    def put() -> None:
        box.append(1)
        with condition:
            condition.notify()

    @flow
    def hand_over() -> None:
        put.submit()
        take.submit()

    hand_over()


def one_notified_of_two() -> None:
    """``notify`` wakes one waiter, but the news was for both."""
    condition = threading.Condition()
    state = {"open": False}

    @task
    def open_gate() -> None:
        with condition:
            state["open"] = True
            condition.notify()

    @task
    def pass_gate() -> None:
        with condition:
            while not state["open"]:
                condition.wait()

    @flow
    def gate() -> None:
        open_gate.submit()
        pass_gate.submit()
        pass_gate.submit()

    gate()


def event_cleared_too_late() -> None:
    """The signal that comes between the look and ``clear`` is wiped out."""
    news = threading.Event()
    inbox: deque[str] = deque()
    read: list[str] = []

    @task
    def send(text: str) -> None:
        inbox.append(text)
        news.set()

    @task
    def receive() -> None:
        while len(read) < 2:
            news.wait()
            while inbox:
                read.append(inbox.popleft())
            news.clear()

    @flow
    def mail() -> None:
        send.submit("one")
        send.submit("two")
        receive.submit()

    mail()


def empty_queue() -> None:
    """Not empty a moment ago is not the same as not empty."""
    jobs: queue.Queue[int] = queue.Queue()
    jobs.put(1)

    @task
    def work() -> None:
        if not jobs.empty():
            jobs.get_nowait()

    @flow
    def crew() -> list[int]:
        return [future.result() for future in (work.submit(), work.submit())]

    crew()


def too_few_seats() -> None:
    """Each needs two permits and takes them one at a time, so both end up with one."""
    seats = threading.Semaphore(2)

    @task
    def meet() -> None:
        seats.acquire()
        seats.acquire()
        seats.release(2)

    @flow
    def office() -> None:
        meet.submit()
        meet.submit()

    office()


def unlocked_on_the_way() -> None:
    """The lock is given back between the look and the change, to be polite."""
    lock = threading.Lock()
    seats = {"left": 1}
    sold: list[str] = []

    @task
    def buy(name: str) -> None:
        with lock:
            free = seats["left"] > 0
        if free:
            with lock:
                seats["left"] -= 1
                sold.append(name)

    @flow
    def box_office() -> None:
        buy.map(["ada", "bob"])

    box_office()
    assert len(sold) == 1
