"""Runs that go on for ever, or would if nobody were fair."""

import asyncio
import threading
import time

import pytest

from runtime import flow, task
from simulators import Schedule, checkpoint, explore, replay
from simulators.clocks import START
from simulators.exceptions import Livelock, Starvation

STRATEGIES = ["fifo", "random", "pct", "pos", "guided", "exhaustive", "portfolio"]


def failure_of(test, strategy: str = "fifo", **options):
    (failure,) = explore(test, strategy=strategy, points="operations", **options).failures
    return failure.error


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_code_that_asks_again_and_again_hears_of_what_others_do(strategy):
    def test() -> bool:
        done: list[bool] = []

        @task
        def asks() -> None:
            while not done:
                checkpoint()

        @task
        def answers() -> None:
            checkpoint()
            done.append(True)

        @flow
        def both() -> bool:
            futures = asks.submit(), answers.submit()
            return [future.wait().is_completed() for future in futures] == [True, True]

        return both()

    exploration = explore(test, strategy=strategy, points="operations", schedules=5)

    assert set(exploration.outcomes) == {True}
    assert not exploration.complete


def test_code_that_asks_again_and_again_hears_of_time_that_passed():
    def test() -> float:
        done: list[bool] = []
        threading.Timer(3600, done.append, [True]).start()
        while not done:
            checkpoint()
        return time.monotonic()

    execution = replay(test, Schedule(points="operations"))

    assert execution.result == START + 3600


def test_a_favour_is_the_same_in_a_replay():
    def test() -> None:
        done: list[bool] = []
        thread = threading.Thread(target=lambda: done.append(True))
        thread.start()
        while not done:
            checkpoint()
        raise ValueError

    failure = explore(test, strategy="pct", points="operations").failures[0]

    again = replay(test, str(failure.schedule))
    assert isinstance(again.error, ValueError)
    assert again.divergence is None


def test_a_livelock_says_who_was_busy():
    def test() -> None:
        def politely(mine: threading.Lock, other: threading.Lock) -> None:
            while True:
                with mine:
                    if other.acquire(timeout=1):
                        other.release()
                    checkpoint()

        locks = threading.Lock(), threading.Lock()
        threads = [threading.Thread(target=politely, args=pair) for pair in (locks, locks[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    error = failure_of(test, step_limit=3_000)

    lines = str(error).splitlines()
    assert type(error) is Livelock
    assert lines[0].startswith("Livelock: the run has not ended after 3000 operations and ")
    assert lines[1].startswith("  Of the last 1000 operations: main/")


def test_starvation_says_who_has_waited_since_when_for_what_held_by_whom_and_where():
    def test() -> None:
        lock = threading.Lock()

        @task
        def greedy() -> None:
            lock.acquire()
            while True:  # it never gives the lock back
                checkpoint()

        @task
        def starves() -> None:
            with lock:
                pass

        @flow
        def both() -> None:
            greedy.submit()
            starves.submit()

        both()

    error = failure_of(test, step_limit=30_000)

    lines = str(error).splitlines()
    assert type(error) is Starvation
    assert lines[0].startswith("Starvation: the run has not ended after 30000 operations")
    assert any(line.startswith("  starves-0 waits since operation ") for line in lines)
    assert any(line.endswith(" for a lock, held by greedy-0") for line in lines)
    assert any(line.endswith("in starves: with lock:") for line in lines)


def test_an_async_task_that_never_ends_is_a_livelock():
    @task
    async def ticks() -> None:
        while True:
            await asyncio.sleep(1)

    @flow
    async def waits() -> None:
        await ticks.submit().wait_async()

    error = failure_of(lambda: asyncio.run(waits()), step_limit=1_000)

    assert type(error) is Livelock
    assert "Of the last 1000 operations: ticks-0 " in str(error)


def test_retries_without_an_end_are_a_livelock():
    @task(retries=10**9, retry_delay_seconds=1)
    def fails() -> None:
        raise ValueError

    @flow
    def stubborn() -> None:
        fails.submit().wait()

    error = failure_of(stubborn, step_limit=1_000)

    assert type(error) is Livelock
    assert "fails-0" in str(error)
