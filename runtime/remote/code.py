"""The parts of a call that stay the same for many calls, and so travel once: the task, and the flow run."""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Lock
from types import CodeType
from typing import Any, NamedTuple, cast
from uuid import uuid4

from runtime.exceptions import NotSerializable
from runtime.lifecycle import describe
from runtime.remote.values import dump_by_value
from runtime.runs import FlowRun, TaskDefinition
from runtime.settings import Settings

#: How many parcels a worker keeps: it may serve flows for weeks.
_KEPT = 512


class Parcel(NamedTuple):
    """Bytes under a key made of them: equal parcels have equal keys, in every process."""

    key: str
    body: bytes

    @classmethod
    def of(cls, body: bytes) -> "Parcel":
        """The parcel with this body."""
        return cls(hashlib.sha256(body).hexdigest()[:32], body)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the attempts of a flow run find around them."""

    flow_run: FlowRun | None
    settings: Settings
    #: the lowest level of log record that the driver wants
    level: int
    #: the driver's process, as :func:`this_process` names it there
    process: str
    #: what plugins put around attempts in other processes: callables that give context managers
    around: tuple[Callable[[], AbstractContextManager[object]], ...] = ()


def this_process() -> str:
    """A name that no other process has, whether forked from this one or on another machine."""
    return f"{_PROCESS}-{os.getpid()}"


def pack_definition(definition: TaskDefinition) -> Parcel:
    """A task's code, as its name and as what it consists of.

    A worker that finds the very same code under the name uses that, like any other import; its modules
    may hold what cannot travel. Otherwise, as for scripts and tests, the code itself is there.
    """
    name = _name_of(definition.task)
    try:
        code = dump_by_value(replace(definition, hooks={}, run_name=None))
        problem = ""
    except Exception as error:  # the user's values may raise anything
        code, problem = b"", describe(error)
        if name is None:
            raise NotSerializable(
                f"The code of task '{definition.name}' cannot be sent to another process: {problem}. It "
                "uses something that belongs to this process; make that inside of the task, or move the "
                "task into a module that workers can import."
            ) from error
    return Parcel.of(pickle.dumps((name, _fingerprint(definition.function), code, problem), protocol=5))


def unpack_definition(key: str, fetch: Callable[[str], bytes], unpacked: dict[str, Any]) -> TaskDefinition:
    """The task under ``key``. ``fetch`` gives the body for a key; what was read is kept in ``unpacked``.

    Raises ``NotSerializable`` where the code cannot be read here.
    """
    return _kept(key, fetch, _read_definition, unpacked)


def unpack_surroundings(key: str, fetch: Callable[[str], bytes], unpacked: dict[str, Any]) -> Surroundings:
    """The surroundings under ``key``, likewise."""
    return _kept(key, fetch, pickle.loads, unpacked)


def _read_definition(body: bytes) -> TaskDefinition:
    name, fingerprint, code, problem = pickle.loads(body)  # noqa: S301 - written by the driver
    found = _find(name) if name is not None else None
    if found is not None and _fingerprint(found.function) == fingerprint:
        return found
    if not code:
        raise NotSerializable(
            f"The task {name} cannot be imported here as it is in the driver, and its code cannot be sent "
            f"instead: {problem}"
        )
    try:
        return pickle.loads(code)  # noqa: S301 - written by the driver
    except Exception as error:  # a module that is not installed here, most often
        raise NotSerializable(f"The task's code cannot be read here: {describe(error)}") from error


def _name_of(task: Any) -> str | None:
    """``module:qualname``, where the task can be found there."""
    module, name = getattr(task, "__module__", None), getattr(task, "__qualname__", "")
    if module is None or module in {"__main__", "__mp_main__"} or "<" in name:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is task else None


def _find(name: str) -> TaskDefinition | None:
    module, _, path = name.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        return cast("TaskDefinition", found.definition)
    except Exception:  # a module that is not there, or that does not like to be imported
        return None


def _fingerprint(function: Any) -> str:
    """Stands for what a function does, as far as its own code says; "" where it has none."""
    code = getattr(function, "__code__", None)
    return hashlib.sha256(_described(code).encode()).hexdigest() if code is not None else ""


def _described(code: CodeType) -> str:
    constants = [_described(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, constants))


def _kept(
    key: str, fetch: Callable[[str], bytes], read: Callable[[bytes], Any], unpacked: dict[str, Any]
) -> Any:
    found = unpacked.get(key)
    if found is None:
        found = read(fetch(key))
        with _keeping:
            while len(unpacked) >= _KEPT:
                del unpacked[next(iter(unpacked))]
            unpacked[key] = found
    return found


_PROCESS = uuid4().hex
_keeping = Lock()
