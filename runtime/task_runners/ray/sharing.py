"""One Ray for all task runners of this process: Ray cannot be used twice in one."""

import os
import threading
from typing import Any

from runtime.logging import ENGINE
from runtime.task_runners.ray.flights import Flights
from runtime.task_runners.ray.instances import RayInstance


def join(address: str | None, init_kwargs: dict[str, Any]) -> Flights:
    """What is under way on the Ray of this process; Ray is started, or connected to, where there is none.

    Raises :class:`RayUnavailable` where there is one at another address.
    """
    global _current, _users
    with _joining:
        if _current is not None and _current.instance.lost is None:
            _current.instance.check_same(address)
            _users[_current] += 1
            return _current
        asked = address or os.environ.get("RAY_ADDRESS")
        instance = RayInstance(None if asked == "local" else asked, init_kwargs)
        if not instance.ours:
            instance.check_same(address)
            ENGINE.info("Using the Ray instance that this process uses already")
        instance.begin()
        try:
            _current = Flights(instance)
        except BaseException:
            instance.end()
            raise
        _users[_current] = 1
        return _current


def leave(flights: Flights) -> None:
    """Give back what :func:`join` gave. The last one to leave ends what was started."""
    global _current
    with _joining:
        _users[flights] -= 1
        if _users[flights] == 0:
            del _users[flights]
            if _current is flights:
                _current = None
            flights.close()
            flights.instance.end()


_joining = threading.Lock()
_current: Flights | None = None
_users: dict[Flights, int] = {}
