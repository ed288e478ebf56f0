"""Linearizability: objects that threads share, against models that nobody shares."""

import threading
from collections import deque

import pytest

from simulators import FailureFound
from simulators.properties import NotLinearizable, assert_linearizable


class Counter:
    def __init__(self):
        self.value = 0

    def add(self, n):
        value = self.value
        self.value = value + n
        return self.value


class LockedCounter(Counter):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def add(self, n):
        with self.lock:
            return super().add(n)


class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()


class Model:
    """What a counter should be."""

    def __init__(self):
        self.value = 0

    def add(self, n):
        self.value += n
        return self.value


def test_a_counter_that_loses_updates_is_not_linearizable():
    with pytest.raises(FailureFound) as found:
        assert_linearizable(Counter, Model, [[("add", 1)], [("add", 2)]])

    failure = found.value.failure
    assert isinstance(failure.error, NotLinearizable)
    for call in ("thread 0: add(1) -> ", "thread 1: add(2) -> "):
        assert call in str(failure.error)
    assert "-> 3" not in str(failure.error)  # an update is lost
    assert len(failure.shrunk.deviations) == 1


def test_a_counter_with_a_lock_is_linearizable():
    calls = [[("add", 1), ("add", 2)], [("add", 3)]]

    assert assert_linearizable(LockedCounter, Model, calls, strategy="dpor", points="accesses").complete


def test_what_a_call_raises_is_what_comes_of_it():
    calls = [[("push", 1)], [("pop",)]]

    assert assert_linearizable(Stack, Stack, calls, strategy="exhaustive", points="declared").complete


def test_a_call_that_ended_came_before_one_that_began_later():
    class Late(Stack):
        def pop(self):
            raise IndexError

    with pytest.raises(FailureFound, match="No order of these calls"):
        assert_linearizable(Late, Stack, [[("push", 1), ("pop",)]], strategy="fifo")


def test_a_queue_of_the_standard_library_is_linearizable():
    class Queue:
        def __init__(self):
            self.items = deque()

        def put(self, item):
            self.items.append(item)

        def get(self):
            return self.items.popleft()

    calls = [[("put", 1), ("get",)], [("put", 2)]]

    assert assert_linearizable(Queue, Queue, calls, schedules=50).executions == 50
