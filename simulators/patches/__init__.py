"""What simulated code sees instead of time, locks, threads and chance.

Everything is put in place once for an exploration and taken away afterwards. Each substitute asks who
calls: code that is not simulated, on another thread for example, gets the real thing.
"""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Any

from simulators.patches import (
    chance,
    dates,
    futures,
    locks,
    logs,
    loops,
    outside,
    synchronisation,
    thread_locals,
    threads,
    time,
)
from simulators.patches.substitution import Substitutes, substituted


@contextmanager
def patched(allowed: Collection[str] = ()) -> Generator[None]:
    """Let simulated code see the simulation, for the length of a block.

    ``allowed``: what it may have of the world outside all the same, ``"sockets"`` or ``"processes"``.
    """
    everything: Substitutes = Substitutes()
    for part in (time, dates, locks, synchronisation, futures, logs, threads, thread_locals, chance, loops):
        part.substitute(everything)
    outside.substitute(everything, allowed)
    with substituted(everything):
        yield


__all__: list[Any] = ["patched"]
