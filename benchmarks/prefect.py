"""Beside Prefect, where it is installed: the system whose way of writing flows this one speaks."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

from benchmarks.contests import Contest, family_cpu_time
from benchmarks.engine import concurrent

TASKS = 100


def contests() -> Iterator[Contest]:
    """No-op tasks on both concurrent task runners; Prefect with a temporary server and database."""
    if find_spec("prefect") is None:
        return
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"  # neither of us writes log lines
    theirs = _flow()
    yield Contest(
        f"{TASKS} no-op tasks, concurrent, beside Prefect",
        "task",
        TASKS,
        {"flow": lambda: concurrent(TASKS), "Prefect": theirs},
        rounds=3,
        around=_server,
        cpu_time=family_cpu_time,
    )


def _server() -> AbstractContextManager[object]:
    from prefect.testing.utilities import prefect_test_harness

    return prefect_test_harness(server_startup_timeout=120)


def _flow() -> Any:
    import prefect

    @prefect.task
    def no_op() -> None:
        pass

    @prefect.flow
    def no_ops() -> None:
        for future in [no_op.submit() for _ in range(TASKS)]:
            future.result()

    return no_ops
