"""The random strategy finds a bug as often as its schedules fail: no order is likelier than it should be."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from math import sqrt

import pytest

from runtime import flow, task
from simulators import Points, access, explore
from simulators.strategies import Exhaustive, Operation

SCHEDULES = 1500


class Weighing(Exhaustive):
    """Every schedule once, and how likely a uniform choice at each of its decisions makes it."""

    def begin(self) -> bool:
        self.weight = 1.0
        return super().begin()

    def choose(self, pending: Sequence[Operation]) -> Operation:
        self.weight /= len(pending)
        return super().choose(pending)


def lost_update(tasks: int, rounds: int) -> Callable[[], bool]:
    def test() -> bool:
        box = {"n": 0}

        @task
        def add() -> None:
            for _ in range(rounds):
                access("n")
                seen = box["n"]
                access("n", write=True)
                box["n"] = seen + 1

        @flow
        def count() -> None:
            for _ in range(tasks):
                add.submit()

        count()
        return box["n"] != tasks * rounds

    return test


def lost_update_across_await() -> bool:
    box = {"n": 0}

    @task
    async def add() -> None:
        await asyncio.sleep(0)
        seen = box["n"]
        await asyncio.sleep(0)
        box["n"] = seen + 1

    @flow
    async def count() -> None:
        for _ in range(3):
            add.submit()

    asyncio.run(count())
    return box["n"] != 3


def stale_read() -> bool:
    """A sync task and an async one, of unequal length."""
    seen: list[str] = []

    @task
    def writes() -> None:
        access("state", write=True)
        seen.append("old")
        access("state", write=True)
        seen.append("new")

    @task
    async def reads() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return seen[-1] if seen else "nothing"

    @flow
    async def both() -> str:
        writes.submit()
        return await reads.submit().result_async()

    return asyncio.run(both()) == "old"


def lock_inversion() -> bool:
    first, second = threading.Lock(), threading.Lock()

    @task
    def takes(one: threading.Lock, other: threading.Lock) -> bool:
        access("before")
        with one:
            access("between")
            if not other.acquire(timeout=1):
                return True
            other.release()
        return False

    @flow
    def inversion() -> bool:
        futures = [takes.submit(first, second), takes.submit(second, first)]
        return True in [future.result() for future in futures]

    return inversion()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "points"),
    [
        pytest.param(lost_update(2, 1), "declared", id="lost update"),
        pytest.param(lost_update(2, 2), "declared", id="lost update in two rounds"),
        pytest.param(lost_update(3, 1), "declared", id="lost update of three tasks"),
        pytest.param(lost_update_across_await, "declared", id="lost update across await"),
        pytest.param(stale_read, "declared", id="stale read"),
        pytest.param(lock_inversion, "declared", id="lock inversion"),
        pytest.param(lost_update(2, 1), "operations", id="lost update, with all operations"),
    ],
)
def test_the_rate_of_failures_is_within_four_standard_errors_of_the_exact_one(test, points: Points):
    exact = exact_chance(test, points)

    found = explore(test, strategy="random", seed=11, points=points, schedules=SCHEDULES).outcomes[True]

    assert 0.05 < exact < 0.95
    assert abs(found / SCHEDULES - exact) < 4 * sqrt(exact * (1 - exact) / SCHEDULES)


def exact_chance(test: Callable[[], bool], points: Points) -> float:
    """How likely a schedule of uniform choices fails, by all schedules that there are."""
    strategy = Weighing()
    chances: list[tuple[float, bool]] = []

    def weighed() -> bool:
        failed = test()
        chances.append((strategy.weight, failed))
        return failed

    exploration = explore(weighed, strategy=strategy, points=points)
    assert exploration.complete
    assert sum(weight for weight, _ in chances) == pytest.approx(1)
    return sum(weight for weight, failed in chances if failed)
