"""Thread-local data: each stack that stands for a thread has its own, although many share one thread."""

import threading
from typing import Any, cast

from simulators.patches.substitution import Substitutes
from simulators.scheduling import Stack, scheduler_here

_real_local = threading.local


def substitute(substitutes: Substitutes) -> None:
    """Thread-local objects that are made from now on, and those that modules hold."""
    substitutes.everywhere(threading, "local", SimulatedLocal)
    substitutes.objects(_real_local, SimulatedLocal)


class SimulatedLocal:
    """A thread-local object of the simulation. Outside of one it is a real one."""

    __slots__ = ("_namespaces", "_outside", "_run")

    def __init__(self, outside: Any = None) -> None:
        put = object.__setattr__
        put(self, "_outside", _real_local() if outside is None else outside)
        put(self, "_namespaces", dict[Stack, dict[str, Any]]())
        #: stands for the simulated run that the namespaces belong to
        put(self, "_run", None)

    @property
    def __dict__(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] - as thread-locals have
        scheduler = scheduler_here()
        if scheduler is None:
            return cast("dict[str, Any]", self._outside.__dict__)
        if self._run is not scheduler.steps:
            object.__setattr__(self, "_run", scheduler.steps)
            self._namespaces.clear()
        return cast("dict[str, Any]", self._namespaces.setdefault(scheduler.current, {}))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"this thread's local object has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__dict__[name]
        except KeyError:
            raise AttributeError(f"this thread's local object has no attribute {name!r}") from None
