"""What objects hold: threads and processes that may stay for as long as the objects do.

A pool starts its threads and processes when it is first used, which is in some test. They belong to whatever
made the pool: a fixture that many tests share.
"""

import gc
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType

#: objects that are looked at, at most
_AT_MOST = 20_000
#: what leads to everything there is, and so do pytest's own objects
_EVERYWHERE = (ModuleType, type, FunctionType, BuiltinFunctionType, CodeType, FrameType)
_OF_PYTEST = ("_pytest.", "pluggy.")


@dataclass(frozen=True, slots=True)
class Held:
    """What was found."""

    threads: set[threading.Thread] = field(default_factory=set[threading.Thread])
    processes: set[int] = field(default_factory=set[int])


def held_by(roots: Iterable[object]) -> Held:
    """The threads and processes that can be reached from some objects, the nearest first."""
    held = Held()
    reached = [each for each in roots if not _leads_everywhere(each)]
    seen = {id(each) for each in reached}
    for each in reached:
        if isinstance(each, threading.Thread):
            held.threads.add(each)
        elif isinstance(each, BaseProcess | subprocess.Popen) and each.pid is not None:
            held.processes.add(each.pid)
        if len(reached) < _AT_MOST:
            for other in gc.get_referents(each):
                if id(other) not in seen and not _leads_everywhere(other):
                    seen.add(id(other))
                    reached.append(other)
    return held


def _leads_everywhere(each: object) -> bool:
    return isinstance(each, _EVERYWHERE) or type(each).__module__.startswith(_OF_PYTEST)
