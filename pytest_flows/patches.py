"""The fixture ``flow_patch``: pytest's monkeypatch, which reaches the workers of Dask and Ray too.

Each patch is made here and noted down. The notes travel with attempts that are made in another process, which
makes the same patches before the first of them, and undoes them after the last.
"""

import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from uuid import uuid4

import pytest

from runtime.hooks import hookimpl


@dataclass(frozen=True, slots=True)
class Place:
    """Where any process finds an object: a module, and names from there on."""

    module: str
    path: str = ""

    def find(self) -> Any:
        """The object, here. Raises ``ImportError`` where there is no such module."""
        found: Any = import_module(self.module)
        for name in self.path.split(".") if self.path else ():
            found = getattr(found, name)
        return found


#: a method of ``pytest.MonkeyPatch``, where its target is, and its other arguments
Step = tuple[str, Place | None, tuple[Any, ...], dict[str, Any]]


class FlowPatch:
    """Patches that hold for the length of a test, wherever tasks run. Has the methods of ``MonkeyPatch``.

    A target reaches workers if it can be found there by name: a module, a class or function in one, or any
    object that is an attribute of a module. Others are patched here, and travel to tasks as they are.
    """

    def __init__(self) -> None:
        self._here = pytest.MonkeyPatch()
        self._steps: list[Step] = []
        self._elsewhere: list[_Elsewhere] = []

    def setattr(self, target: object, name: object, *value: object, raising: bool = True) -> None:
        """Set an attribute: ``setattr(module, "name", value)`` or ``setattr("module.name", value)``."""
        if isinstance(target, str):
            self._do("setattr", None, target, name, raising=raising)
        else:
            self._do("setattr", target, name, *value, raising=raising)

    def delattr(self, target: object, *name: str, raising: bool = True) -> None:
        """Delete an attribute: ``delattr(module, "name")`` or ``delattr("module.name")``."""
        if isinstance(target, str):
            self._do("delattr", None, target, raising=raising)
        else:
            self._do("delattr", target, *name, raising=raising)

    def setitem(self, mapping: Mapping[Any, Any], name: object, value: object) -> None:
        """Set an item of a dict."""
        self._do("setitem", mapping, name, value)

    def delitem(self, mapping: Mapping[Any, Any], name: object, *, raising: bool = True) -> None:
        """Delete an item of a dict."""
        self._do("delitem", mapping, name, raising=raising)

    def setenv(self, name: str, value: str, prepend: str | None = None) -> None:
        """Set a variable of the environment; with ``prepend``, put it before what is there."""
        self._do("setenv", None, name, value, prepend)

    def delenv(self, name: str, *, raising: bool = True) -> None:
        """Delete a variable of the environment."""
        self._do("delenv", None, name, raising=raising)

    def chdir(self, path: str | Path) -> None:
        """Change the working folder."""
        self._do("chdir", None, str(Path(path).absolute()))

    def syspath_prepend(self, path: str | Path) -> None:
        """Put a folder before all others in which modules are looked for."""
        self._do("syspath_prepend", None, str(Path(path).absolute()))

    @contextmanager
    def context(self) -> Generator["FlowPatch"]:
        """Undo, after the block, what is patched in it."""
        here, steps = self._here, list(self._steps)
        self._here = pytest.MonkeyPatch()
        try:
            yield self
        finally:
            self._here.undo()
            self._here = here
            self._note(steps)

    def undo(self) -> None:
        """Undo all patches."""
        self._here.undo()
        self._note([])

    @hookimpl
    def flows_around_attempts(self) -> list[Callable[[], AbstractContextManager[object]]]:
        """Have the patches made around attempts in other processes."""
        return list(self._elsewhere)

    def _do(self, method: str, target: object | None, *args: Any, **options: Any) -> None:
        place = None
        if target is not None:
            place = _place_of(target)  # now: a patch may hide it
            getattr(self._here, method)(target, *args, **options)
        else:
            getattr(self._here, method)(*args, **options)
        if target is None or place is not None:
            self._note([*self._steps, (method, place, args, options)])

    def _note(self, steps: list[Step]) -> None:
        self._steps = steps
        self._elsewhere = [_Elsewhere(uuid4().hex, tuple(steps))] if steps else []


@dataclass(frozen=True, eq=False)
class _Elsewhere:
    """Patches on their way to another process."""

    key: str
    steps: tuple[Step, ...]

    def __call__(self) -> AbstractContextManager[object]:
        return _in_force.made(self)


class _InForce:
    """The patches of a worker's process, whose attempts may run at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key = ""
        self._users = 0
        self._monkeypatch = pytest.MonkeyPatch()

    @contextmanager
    def made(self, patches: _Elsewhere) -> Generator[None]:
        with self._lock:
            if self._key != patches.key:
                self._undo()  # an attempt of an earlier test is still there
                self._key = patches.key
                for step in patches.steps:
                    self._make(*step)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._undo()

    def _make(self, method: str, place: Place | None, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        try:
            target = [place.find()] if place is not None else []
            getattr(self._monkeypatch, method)(*target, *args, **options)
        except ImportError:
            return  # such as a test module: its code came by value, with the patch in it

    def _undo(self) -> None:
        self._monkeypatch.undo()
        self._key = ""


def _place_of(target: object) -> Place | None:
    """Where other processes find ``target``; None where it has no name."""
    if isinstance(target, ModuleType):
        return Place(target.__name__)
    module, path = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    if isinstance(module, str) and isinstance(path, str) and "<" not in path:
        place = Place(module, path)
        try:
            return place if place.find() is target else None
        except (ImportError, AttributeError):
            return None
    for name, found in list(sys.modules.items()):
        own = cast("dict[str, object]", getattr(found, "__dict__", {}))  # anything may stand for a module
        for attribute, value in list(own.items()):
            if value is target and name != "__main__":
                return Place(name, attribute)
    return None


_in_force = _InForce()
