"""Futures among arguments: finding them, and putting results where they stood."""

import copy
import dataclasses
import sys
from collections import OrderedDict
from collections.abc import Callable
from types import GeneratorType
from typing import Any, cast

from runtime.futures import PrefectFuture
from runtime.parameters.annotations import Annotation, allow_failure, quote

#: Types without anything inside; most arguments are one of these, so they are looked at first.
_ATOMS = frozenset({int, str, float, bool, type(None), bytes, complex, type, range})

Put = Callable[["PrefectFuture[Any]", bool], Any]


class Upstream:
    """What the arguments of a call refer to, in the order in which it is found."""

    __slots__ = ("edges", "generators", "quotes")

    def __init__(self) -> None:
        #: future, name of the parameter, whether its failure is allowed
        self.edges: list[tuple[PrefectFuture[Any], str, bool]] = []
        self.generators = False
        self.quotes = False

    @property
    def needs_putting(self) -> bool:
        """Whether the call cannot be made with the arguments as they are."""
        return bool(self.edges) or self.quotes


def collect(upstream: Upstream, name: str, value: Any) -> Any:
    """Add what ``value``, the argument called ``name``, refers to; returns the value to go on with.

    That is ``value`` itself unless it holds a generator, which becomes a list.
    """
    if type(value) in _ATOMS:
        return value

    def found(future: "PrefectFuture[Any]", allowed: bool) -> Any:
        upstream.edges.append((future, name, allowed))
        return allow_failure(future) if allowed else future

    return _Walk(found, upstream).visit(value)


def put(
    args: tuple[Any, ...], kwargs: dict[str, Any], value_of: Put
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with ``value_of(future, failure allowed)`` where futures stood.

    Containers keep their type. ``quote(x)`` becomes ``x``, which is not looked into.
    """
    walk = _Walk(value_of, None)
    return tuple(walk.visit(arg) for arg in args), {name: walk.visit(arg) for name, arg in kwargs.items()}


class _Walk:
    """One pass over a value, at any depth; with ``upstream`` it collects, without it replaces.

    A container is made anew only where something in it changed.
    """

    __slots__ = ("_found", "_seen", "_upstream")

    def __init__(self, found: Put, upstream: Upstream | None) -> None:
        self._found = found
        self._upstream = upstream
        self._seen: set[int] = set()

    def visit(self, value: Any) -> Any:
        kind = cast("Any", type(value))
        if kind in _ATOMS:
            return value
        if isinstance(value, PrefectFuture):
            return self._found(cast("PrefectFuture[Any]", value), False)  # noqa: FBT003
        if isinstance(value, Annotation):
            return self._annotation(cast("Annotation[Any]", value))
        if kind is GeneratorType:
            if self._upstream is None:
                return value
            self._upstream.generators = True
            return self.visit(list(value))
        enter = self._way_into(kind, value)
        if enter is None or id(value) in self._seen:
            return value
        self._seen.add(id(value))  # something that holds itself is walked once
        try:
            return enter(value)
        finally:
            self._seen.discard(id(value))

    def _way_into(self, kind: Any, value: Any) -> Callable[[Any], Any] | None:
        if issubclass(kind, dict):
            return self._mapping
        if issubclass(kind, list | tuple | set | frozenset):
            return self._items
        if dataclasses.is_dataclass(kind):
            return self._dataclass
        pydantic = sys.modules.get("pydantic")  # a model can only come from there
        if pydantic is not None and isinstance(value, pydantic.BaseModel):
            return self._model
        return None

    def _annotation(self, annotation: Annotation[Any]) -> Any:
        inner = annotation.value
        if isinstance(annotation, allow_failure) and isinstance(inner, PrefectFuture):
            return self._found(cast("PrefectFuture[Any]", inner), True)  # noqa: FBT003
        if not isinstance(annotation, allow_failure | quote):
            return annotation
        if self._upstream is None:
            return inner
        self._upstream.quotes = True
        return annotation

    def _items(self, value: Any) -> Any:
        items = [self.visit(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        if hasattr(value, "_fields"):  # a named tuple takes its fields one by one
            return type(value)(*items)
        return type(value)(items)

    def _mapping(self, value: dict[Any, Any]) -> Any:
        items = [(self.visit(key), self.visit(item)) for key, item in value.items()]
        if all(new[0] is old and new[1] is value[old] for new, old in zip(items, value, strict=True)):
            return value
        kind = cast("Any", type(value))
        if kind is dict or issubclass(kind, OrderedDict):
            return cast("Any", kind)(items)
        duplicate = value.copy()  # a defaultdict, a Counter: keeps what makes it special
        duplicate.clear()
        duplicate.update(items)
        return duplicate

    def _dataclass(self, value: Any) -> Any:
        changed: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            if hasattr(value, field.name):
                old = getattr(value, field.name)
                new = self.visit(old)
                if new is not old:
                    changed[field.name] = new
        if not changed:
            return value
        duplicate = copy.copy(value)  # around __init__, which may not take what it made
        for name, new in changed.items():
            object.__setattr__(duplicate, name, new)
        return duplicate

    def _model(self, value: Any) -> Any:
        changed = {name: new for name, old in value.__dict__.items() if (new := self.visit(old)) is not old}
        return value.model_copy(update=changed) if changed else value
