"""Putting one thing in the place of another, wherever it was imported to, and back."""

import sys
from collections.abc import Callable, Collection, Generator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from types import ModuleType
from typing import Any

#: Modules whose names stay as they are: imports, the simulator itself, and what watches over it.
_UNTOUCHED = frozenset(
    """
    _thread importlib _frozen_importlib simulators greenlet pytest _pytest pluggy coverage pytest_timeout
    pytest_flows faulthandler gc
    """.split()
)


_MISSING = object()


class Substitutes:
    """What is to be put where."""

    def __init__(self) -> None:
        self._by_identity: dict[int, tuple[Any, Any]] = {}
        self._attributes: list[tuple[Any, str, Any]] = []
        self._converters: dict[type, Callable[[Any], Any]] = {}

    def everywhere(self, owner: ModuleType, name: str, substitute: Any, *real: Any) -> None:
        """Put ``substitute`` in the place of ``owner.name``, also in modules that imported it by name.

        ``real``: what is looked for too, should somebody else have put a thing of his own there.
        """
        for original in (*real, getattr(owner, name)):
            self._by_identity[id(original)] = (original, substitute)
        self._attributes.append((owner, name, substitute))

    @property
    def identities(self) -> set[int]:
        """The ``id`` of everything that is put anywhere."""
        return {id(substitute) for _, substitute in self._by_identity.values()}

    def attribute(self, owner: Any, name: str, substitute: Any) -> None:
        """Put ``substitute`` in the place of one attribute."""
        self._attributes.append((owner, name, substitute))

    def objects(self, kind: type, convert: Callable[[Any], Any]) -> None:
        """Put ``convert(value)`` in the place of each global variable whose type is ``kind``."""
        self._converters[kind] = convert

    def places(self) -> Generator[tuple[Any, str, Any]]:
        """Each place, with what is to be put there."""
        yield from self._attributes
        by_identity, converters = self._by_identity, self._converters
        for module, name, value in _globals(sys.modules, by_identity.keys(), converters.keys()):
            found = by_identity.get(id(value))
            if found is not None and found[0] is value:
                yield module, name, found[1]
            elif type(value) in converters and _may_switch(module.__name__):
                yield module, name, converters[type(value)](value)

    def left_behind(self, known: Collection[str]) -> Generator[tuple[Any, str, Any]]:
        """Each place in modules other than the ``known`` ones that has a substitute, with the original."""
        originals = {id(pair[1]): pair for pair in self._by_identity.values()}
        imported = {name: module for name, module in sys.modules.items() if name not in known}
        for module, name, value in _globals(imported, originals.keys()):
            found = originals.get(id(value))
            if found is not None and found[1] is value:
                yield module, name, found[0]


def _globals(
    modules: Mapping[str, ModuleType], ids: AbstractSet[int], kinds: AbstractSet[type] = frozenset()
) -> Generator[tuple[ModuleType, str, Any]]:
    """The global variables of modules in which there is anything with one of these ids, or of these types."""
    for module_name, module in list(modules.items()):
        if module_name.partition(".")[0] in _UNTOUCHED or type(module) is not ModuleType:
            continue
        values = list(module.__dict__.values())
        # Most modules hold nothing of the kind. Asked like this they are passed over ten times as fast.
        if not (ids.isdisjoint(map(id, values)) and kinds.isdisjoint(map(type, values))):
            for name, value in list(module.__dict__.items()):
                yield module, name, value


def _may_switch(module_name: str) -> bool:
    """Whether code of the module may come to a point while it holds a lock of its own."""
    top = module_name.partition(".")[0]
    return top == "concurrent" or (top not in sys.stdlib_module_names and top != "runtime")


@contextmanager
def substituted(substitutes: Substitutes) -> Generator[None]:
    """Have everything in place for the length of a block."""
    before: list[tuple[Any, str, Any]] = []
    known = frozenset(sys.modules)
    try:
        for owner, name, substitute in substitutes.places():
            before.append((owner, name, owner.__dict__.get(name, _MISSING)))
            setattr(owner, name, substitute)
        yield
    finally:
        for owner, name, original in reversed(before):
            if original is _MISSING:  # it was inherited
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for module, name, original in substitutes.left_behind(known):
            setattr(module, name, original)
