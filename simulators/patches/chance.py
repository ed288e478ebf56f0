"""Chance as simulated code sees it: each run has its own, which follows from the seed and its name."""

import os
import random
import uuid
from collections.abc import Callable
from typing import Any

from simulators.patches.substitution import Substitutes
from simulators.surroundings import scheduler_here

_INSTANCE: random.Random = getattr(random, "_inst")  # noqa: B009 - it is private there
_urandom, _Random = os.urandom, random.Random


def substitute(substitutes: Substitutes) -> None:
    """The functions of ``random``, generators without a seed, ``os.urandom`` and what stands on it."""
    for name in dir(random):
        function = getattr(random, name)
        if getattr(function, "__self__", None) is _INSTANCE:
            substitutes.everywhere(random, name, _drawn_by_name(name))
    substitutes.everywhere(random, "Random", SeededRandom)
    substitutes.everywhere(os, "urandom", _drawn_bytes)
    # It asks the C library, which asks the kernel.
    substitutes.attribute(uuid, "_generate_time_safe", None)


class SeededRandom(random.Random):
    """A generator that is seeded from the simulation where it is given no seed."""

    def __init__(self, x: Any = None) -> None:
        chance = _chance()
        super().__init__(chance.getrandbits(64) if x is None and chance is not None else x)


def _chance() -> random.Random | None:
    scheduler = scheduler_here()
    if scheduler is None:
        return None
    lane = scheduler.current.lane
    if lane.random is None:
        lane.random = _Random(f"{scheduler.seed} {lane.name}")
    return lane.random


def _drawn_by_name(name: str) -> Callable[..., Any]:
    def draw(*args: Any, **kwargs: Any) -> Any:
        return getattr(_chance() or _INSTANCE, name)(*args, **kwargs)

    draw.__name__ = name
    return draw


def _drawn_bytes(size: int) -> bytes:
    chance = _chance()
    return _urandom(size) if chance is None else chance.randbytes(size)
