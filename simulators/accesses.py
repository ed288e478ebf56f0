"""Points before accesses: which reads and writes others could notice, and what they touch.

What is looked up in a class and is a function, and what never changes, is nobody's business: methods, names
of modules and functions. Anything else that code reads or writes of an object may be another's too.
"""

from collections import deque
from collections.abc import Callable, Hashable
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, cast

from simulators.marks import Access, Call, Globals, may_change
from simulators.marks.calls import READING, WRITING
from simulators.partial_order import ANYTHING
from simulators.scheduling import Scheduler
from simulators.surroundings import scheduler_here

_CONTAINERS = (list, dict, set, deque, bytearray)
#: What cannot be changed, and things that are looked up rather than read.
_UNCHANGING = (
    str,
    bytes,
    int,
    float,
    complex,
    tuple,
    frozenset,
    range,
    type(None),
    FunctionType,
    BuiltinFunctionType,
    property,
)
_FUNCTIONS = (
    FunctionType,
    BuiltinFunctionType,
    MethodDescriptorType,
    WrapperDescriptorType,
    classmethod,
    staticmethod,
    property,
    type,
)
_METHODS = READING | WRITING
_BY_NAME = {"getattr": False, "hasattr": False, "setattr": True, "delattr": True}
_ATTRIBUTES = {"__setattr__": True, "__delattr__": True, "__getattribute__": False}
_OPERATORS = {"setitem": True, "delitem": True, "getitem": False, "contains": False, "iadd": True}
#: Methods that touch one key of a dictionary or a set, and no other.
_KEYED = frozenset(
    "get pop setdefault add discard remove __setitem__ __delitem__ __getitem__ __contains__".split()
)
_MOST_LOOKED_UP = 64


class AccessPoints:
    """What marks before accesses and calls report to: code pauses before what others may notice."""

    def __init__(self, scheduler: Scheduler, imported: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._imported = imported
        #: things in which methods of containers were looked up, and not called yet
        self._looked_up: list[tuple[object, str]] = []
        self._spots: dict[object, str] = {}
        self._methods: dict[tuple[type, str], bool] = {}

    def access(self, thing: Any, key: Any, access: Access) -> None:
        """Before an access."""
        scheduler = self._scheduler
        if scheduler_here() is not scheduler:
            return
        kind: type[object] = cast("type[object]", type(thing))
        if access.named:
            if key in _METHODS:
                self._look_up(thing, key)
            if not self._concerns_others(thing, kind, key, access):
                return
        elif kind is Globals or kind is CellType:
            if not may_change(access.file, key):
                return
        elif issubclass(kind, _CONTAINERS):
            key = _key(thing, key)
        else:
            return  # an item of what is no container: its own code is marked, or it cannot change
        self._pause(thing, key, access)

    def call(self, call: Call, first: Any, second: Any) -> None:
        """Before a call by a name that stands for an access."""
        if scheduler_here() is not self._scheduler:
            return
        name = call.name
        if not call.method:
            if name in _BY_NAME:
                if not issubclass(type(first), _UNCHANGING):
                    self._pause(first, second, call)
            elif issubclass(type(first), _CONTAINERS):
                self._pause(first, ANYTHING, call)
            return
        thing: Any = self._looked_up_last(name)
        if isinstance(thing, ModuleType):
            if name in _OPERATORS and thing.__name__ in ("operator", "_operator"):
                self._pause(first, _key(first, second), call)
        elif name in _ATTRIBUTES:
            owner, attribute = (first, second) if isinstance(thing, type) else (thing, first)
            self._pause(owner, attribute, call)
        elif issubclass(type(thing), _CONTAINERS):
            keyed = name in _KEYED and call.arguments and not issubclass(type(thing), (list, deque))
            self._pause(thing, _key(thing, first) if keyed else ANYTHING, call)

    def _pause(self, thing: Any, key: Hashable, where: Access | Call) -> None:
        scheduler = self._scheduler
        self._imported()
        spot = self._spots.get(where)
        if spot is None:
            spot = self._spots[where] = f"{Path(where.file).name}:{where.line}"
        try:
            hash(key)
        except TypeError:
            key = ANYTHING
        writes = where.writes
        name = scheduler.names.of(thing)
        scheduler.pause("write" if writes else "read", (name, key), writes, spot, where)

    def _look_up(self, thing: object, name: str) -> None:
        self._looked_up.append((thing, name))
        if len(self._looked_up) > _MOST_LOOKED_UP:
            del self._looked_up[0]

    def _looked_up_last(self, name: str) -> object:
        for index in range(len(self._looked_up) - 1, -1, -1):
            if self._looked_up[index][1] == name:
                return self._looked_up.pop(index)[0]
        return None

    def _concerns_others(self, thing: Any, kind: type[object], name: str, access: Access) -> bool:
        """Whether an attribute is something that others could change."""
        if access.writes:
            return True
        if issubclass(kind, _UNCHANGING) or issubclass(kind, _CONTAINERS) or issubclass(kind, ModuleType):
            return False
        return not self._is_function(thing, kind, name)

    def _is_function(self, thing: Any, kind: type, name: str) -> bool:
        """Whether a name is a function of the class, which instances do not have."""
        if isinstance(thing, type):
            return isinstance(_in_class(thing, name), _FUNCTIONS)
        known = self._methods.get((kind, name))
        if known is None:
            known = self._methods[kind, name] = isinstance(_in_class(kind, name), _FUNCTIONS)
        return known


def _in_class(kind: type, name: str) -> object:
    for base in kind.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _key(thing: object, key: object) -> Hashable:
    """The part of a container that a key stands for: an index from the end, or a slice, for any."""
    if key is None:
        return ANYTHING
    if isinstance(thing, list | deque | bytearray) and not (isinstance(key, int) and key >= 0):
        return ANYTHING
    return key
