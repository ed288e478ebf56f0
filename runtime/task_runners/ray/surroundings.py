"""What Ray reads from, and leaves in, the environment of this process.

Ray is told how to authenticate and where to listen by variables and constants, not by arguments.
"""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager

from runtime.task_runners.ray.native import listen_on_loopback, read_environment_again


@contextmanager
def surroundings_kept() -> Generator[None]:
    """Leave the environment after the block as it was before, whatever Ray writes there."""
    before = _of_ray()
    # A result that nobody asks for is no error: what its task raised is in the state of its run.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    try:
        yield
    finally:
        for name in _of_ray().keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        read_environment_again()


@contextmanager
def private_surroundings(*, on_loopback: bool) -> Generator[None]:
    """For the length of the block: a Ray started here wants a token that nobody else has.

    With ``on_loopback``, nobody on another machine can connect either. A ``RAY_AUTH_MODE`` that is set
    already has the say.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() == "token":
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Records of tasks are for dashboards. At its end Ray waits 5 s where none takes them.
    os.environ.setdefault("RAY_task_events_shutdown_flush_timeout_ms", "300")
    read_environment_again()
    before = listen_on_loopback(on_loopback)
    try:
        yield
    finally:
        listen_on_loopback(before)


def _of_ray() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("RAY_") or name == "PYTHONBREAKPOINT"
    }
