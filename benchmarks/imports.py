"""What importing costs, in fresh processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.contests import Contest


def contests() -> Iterator[Contest]:
    """``import runtime`` beside an interpreter that imports nothing, and beside asyncio alone."""
    yield Contest(
        "import runtime",
        "process",
        1,
        {
            "import runtime": _python("import runtime"),
            "no import": _python("pass"),
            "import asyncio": _python("import asyncio"),
        },
        promised="at most 150 ms",
        rounds=15,
        cpu_time=children_cpu_time,
    )


def children_cpu_time() -> float:
    """Seconds of CPU of all processes that were started from here and have ended."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)
