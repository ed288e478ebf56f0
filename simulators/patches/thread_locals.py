"""Thread-local data: each stack that stands for a thread has its own, although many share one thread."""

import threading
from typing import Any

from simulators.patches.substitution import Substitutes
from simulators.surroundings import scheduler_here

_real_local, _get_ident = threading.local, threading.get_ident


def substitute(substitutes: Substitutes) -> None:
    """Thread-local objects that are made from now on, and those that modules hold."""
    substitutes.everywhere(threading, "local", SimulatedLocal)
    substitutes.objects(_real_local, _in_place_of)


class SimulatedLocal:
    """``threading.local``: attributes that each thread has for itself, simulated ones too."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the arguments: each thread that comes along calls ``__init__`` with them."""
        made = object.__new__(cls)
        put = object.__setattr__
        put(made, "_arguments", (args, kwargs))
        put(made, "_of_each", {})
        #: stands for the simulated run whose data it holds
        put(made, "_run", None)
        #: the real one in whose place it stands
        put(made, "_outside", None)
        return made

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name != "__dict__":
            return object.__getattribute__(self, name)
        mine = _mine(self)
        if name == "__dict__":
            return mine
        if name in mine:
            return mine[name]
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _mine(self)[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del _mine(self)[name]
        except KeyError:
            raise AttributeError(name) from None


def _in_place_of(real: Any) -> SimulatedLocal:
    simulated = SimulatedLocal()
    object.__setattr__(simulated, "_outside", real)
    return simulated


def _mine(local: SimulatedLocal) -> dict[str, Any]:
    get = object.__getattribute__
    of_each: dict[Any, dict[str, Any]] = get(local, "_of_each")
    scheduler = scheduler_here()
    if scheduler is None:
        outside = get(local, "_outside")
        if outside is not None:
            return outside.__dict__
        who: Any = _get_ident()
    else:
        who = scheduler.current
        if get(local, "_run") is not scheduler.steps:
            object.__setattr__(local, "_run", scheduler.steps)
            of_each.clear()  # what is left of the run before
    mine = of_each.get(who)
    if mine is None:
        mine = of_each[who] = {}
        args, kwargs = get(local, "_arguments")
        type(local).__init__(local, *args, **kwargs)
    return mine
