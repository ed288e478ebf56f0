"""What would leave the simulation: refused, with a word on where, unless it is allowed."""

import os
import socket
import subprocess
from collections.abc import Callable, Collection
from typing import Any

from simulators.exceptions import OutsideControl, SimulatorError
from simulators.patches.substitution import Substitutes
from simulators.surroundings import scheduler_here

#: What can be allowed.
KINDS = ("sockets", "processes")


def substitute(substitutes: Substitutes, allowed: Collection[str]) -> None:
    """Sockets and processes, as far as they are not allowed."""
    unknown = set(allowed) - set(KINDS)
    if unknown:
        raise SimulatorError(f"What can be allowed is {KINDS}, not {', '.join(sorted(unknown))}")
    if "sockets" not in allowed:
        for name in ("connect", "connect_ex", "bind", "sendto"):
            substitutes.attribute(socket.socket, name, _refusing(socket.socket, name, "sockets"))
        substitutes.everywhere(socket, "getaddrinfo", _refusing(socket, "getaddrinfo", "sockets"))
    if "processes" not in allowed:
        start = _refusing(subprocess.Popen, "__init__", "processes")
        substitutes.attribute(subprocess.Popen, "__init__", start)
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
            if hasattr(os, name):
                substitutes.everywhere(os, name, _refusing(os, name, "processes"))


def _refusing(owner: Any, name: str, kind: str) -> Callable[..., Any]:
    real = getattr(owner, name)
    called = f"{owner.__name__}.{name}" if name != "__init__" else owner.__name__

    def call(*args: Any, **kwargs: Any) -> Any:
        if scheduler_here() is not None:
            raise OutsideControl(
                f"{called}() leads out of the simulation: nobody there waits for virtual time, and no replay "
                f"would bring back what it says. Allow it with `allow=[{kind!r}]`, or put something "
                "in its place for the test."
            )
        return real(*args, **kwargs)

    return call
