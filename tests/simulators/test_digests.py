"""The same seeds give the same runs: in every process, with every hash seed, on every version of Python.

The digests below are recorded, not computed here, so every interpreter that runs this suite is compared
with all others. What changes the engine, or the planted bugs, changes them: run this file to print them.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulators import Points
from simulators.conditions import Conditions
from simulators.strategies import strategy_called
from tests.quality.planted import locks, loops, memory, timing

pytestmark = pytest.mark.usefixtures("small_project")
TESTS = (memory.lost_update, locks.lock_inversion, timing.retry_storm, loops.lost_update_across_await)
STRATEGIES = ("random", "pct", "pos")
RECORDED: dict[Points, str] = {
    "declared": "540bb8a3036ecf54",
    "operations": "9456e3673a01724d",
    "statements": "0aefc384d03d05a8",
}


def digest_of(points: Points) -> str:
    """16 hex digits for what every test does under every strategy."""
    digests: list[str] = []
    for test in TESTS:
        for name in STRATEGIES:
            strategy = strategy_called(name, 7)
            with Conditions(points=points, seed=7).executor(test) as executor:
                for _ in range(10):
                    strategy.begin()
                    execution = executor.run(strategy)
                    strategy.end(execution)
                    digests.append(execution.digest)
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


@pytest.mark.parametrize("points", RECORDED)
def test_seeds_give_the_runs_that_they_gave_elsewhere(points: Points):
    assert digest_of(points) == RECORDED[points]


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_seeds_give_the_same_runs_in_a_process_with_another_hash_seed(hash_seed: str):
    printed = subprocess.run(
        [sys.executable, "-m", "tests.simulators.test_digests"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert dict(line.split() for line in printed.splitlines()) == RECORDED


if __name__ == "__main__":
    for each in RECORDED:
        print(each, digest_of(each))
