"""What it costs to plan a cluster from a recorded run."""

import random
from collections.abc import Iterator

from benchmarks.contests import Contest
from simulators.planning import Piece, Work, plan

_TASKS, _WORKERS = 100_000, 1_000


def contests() -> Iterator[Contest]:
    """A hundred layers of a thousand tasks each, on a thousand workers and on a hundred."""
    chance = random.Random(0)
    work = Work(
        tuple(
            Piece(
                f"task-{place}",
                10 * chance.random(),
                (place - _WORKERS,) if place >= _WORKERS else (),
                1e-5,
                place - 1 if place else None,
            )
            for place in range(_TASKS)
        )
    )
    yield Contest(
        f"plan of {_TASKS:,} tasks",
        "plan",
        1,
        {
            f"{_WORKERS:,} workers": lambda: plan(work, _WORKERS).makespan,
            f"{_WORKERS // 10:,} workers": lambda: plan(work, _WORKERS // 10).makespan,
        },
        promised="under a minute",
        rounds=3,
    )
