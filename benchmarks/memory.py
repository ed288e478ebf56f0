"""What task runs hold in memory, each measured in a fresh process."""

import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple


class Holding(NamedTuple):
    """Bytes that something holds."""

    name: str
    unit: str
    bytes: float
    promised: str


def holdings() -> Iterator[Holding]:
    """Memory for each task run: while futures are held, and in a long flow that drops them."""
    for n in (1_000, 10_000):
        held = _measured(_HELD, n)
        yield Holding(f"{n:,} finished tasks, futures held", "task", held / n, "at most 5 kB")
    grown = _measured(_DROPPED, 100_000)
    yield Holding("100,000 tasks in one flow, results dropped", "task", grown / 80_000, "under 2 KiB")


def _measured(program: str, n: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _COMMON + program, str(n)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


_COMMON = """
import gc, sys
from pathlib import Path
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner
import logging; logging.getLogger("flows").setLevel("WARNING")

@task
def no_op(): pass

def rss():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

n = int(sys.argv[1])
"""

_HELD = """
@flow(task_runner=ConcurrentTaskRunner())
def warm():
    for _ in range(200):
        no_op.submit()

@flow(task_runner=ConcurrentTaskRunner())
def held():
    before = rss()
    futures = [no_op.submit() for _ in range(n)]
    for future in futures:
        future.wait()
    return rss() - before

warm()
print(held())
"""

_DROPPED = """
@flow(task_runner=ConcurrentTaskRunner())
def dropped():
    for done in range(n):
        no_op.submit()
        if done % 1000 == 999:
            no_op.submit().wait()
        if done == 20_000:
            before = rss()
    return rss() - before

print(dropped())
"""
