"""Parameters as JSON text: what a history keeps of the values a flow was called with."""

import dataclasses
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, cast

REDACTED = "********"

#: A history is no place for data: this many characters are kept of a text, and of all values together.
_LONGEST = 10_000
_MOST = 200_000
#: what a value adds to a description besides its own characters, and what its type adds
_VALUE, _TYPE = 8, 24
_DEEPEST = 20
_HUGE = 10**300

_SECRET = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|credential|authorization",
    re.IGNORECASE,
)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters as a JSON object. Never raises.

    Values of parameters and keys that sound secret are redacted. A value that JSON can say is itself. Any
    other is described by an object with ``"$type": "module.Class"``, and with ``"$text"``, ``"$items"`` or
    ``"$fields"`` where these say more; ``"$length"`` says how long a value was that has been cut.
    """
    if not parameters:
        return "{}"
    description = _Description()
    return json.dumps({name: description.of(name, value, 0) for name, value in parameters.items()})


def described_parameters(text: str) -> tuple[dict[str, Any], list[str]]:
    """The parameters that a description still holds as they were, and the names of the others."""
    values: dict[str, Any] = json.loads(text)
    lost = [name for name, value in values.items() if _is_lost(value)]
    return {name: value for name, value in values.items() if name not in lost}, lost


def _is_lost(value: Any) -> bool:
    """Whether a value, or something in it, was described, cut or redacted."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return any(name.startswith("$") for name in fields) or any(map(_is_lost, fields.values()))
    if isinstance(value, list):
        return any(map(_is_lost, cast("list[Any]", value)))
    return value == REDACTED


class _Description:
    """Describes values until there has been enough of them."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        #: how many characters, roughly, may still be said
        self._left = _MOST

    def of(self, name: str, value: Any, depth: int) -> Any:
        """The description of a value that is known as ``name``."""
        self._left -= _VALUE
        kind = cast("type[Any]", type(value))
        if value is None or kind is bool:
            return value
        if _SECRET.search(name):
            return REDACTED
        if kind is int:
            return value if -_HUGE < value < _HUGE else _typed(kind)
        if kind is float:
            return value if math.isfinite(value) else {**_typed(kind), "$text": str(value)}
        if kind is str:
            return self._text(value)
        self._left -= _TYPE
        if depth >= _DEEPEST or self._left <= 0:
            return _typed(kind)
        try:
            return self._container(name, kind, value, depth + 1)
        except Exception:  # a property, or __str__, of the user's may raise anything
            return _typed(kind)

    def _container(self, name: str, kind: type[Any], value: Any, depth: int) -> Any:
        if kind is dict:
            return self._mapping(value, depth)
        if kind in (list, tuple, set, frozenset):
            return self._items(name, kind, value, depth)
        if dataclasses.is_dataclass(kind):
            fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(kind)}
            return {**_typed(kind), "$fields": self._fields(fields, depth)}
        pydantic = sys.modules.get("pydantic")
        if pydantic is not None and isinstance(value, pydantic.BaseModel):
            return {**_typed(kind), "$fields": self._fields(value.__dict__, depth)}
        if kind.__module__.partition(".")[0] in {"datetime", "pathlib", "uuid", "decimal", "fractions"}:
            return {**_typed(kind), "$text": _clean(str(value))}
        return _typed(kind)

    def _items(self, name: str, kind: type[Any], value: Any, depth: int) -> Any:
        items: list[Any] = []
        for item in self._enough(value):
            items.append(self.of(name, item, depth))
            if self._left <= 0:
                break
        cut = len(items) < len(value)
        if kind is list and not cut:
            return items
        return {**_typed(kind), "$items": items, **({"$length": len(value)} if cut else {})}

    def _mapping(self, value: dict[Any, Any], depth: int) -> Any:
        fields = self._fields(value, depth)
        cut = len(fields) < len(value)
        if not cut and not any(name.startswith("$") for name in fields) and fields.keys() == value.keys():
            return fields
        return {**_typed(dict), "$fields": fields, **({"$length": len(value)} if cut else {})}

    def _fields(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """The values by name. Raises ``TypeError`` for a name that is no string."""
        fields: dict[str, Any] = {}
        for name, item in self._enough(value.items()):
            self._left -= len(name)
            fields[_clean(name[:_LONGEST])] = self.of(name, item, depth)
            if self._left <= 0:
                break
        return fields

    def _enough(self, values: Iterable[Any]) -> list[Any]:
        """As many of the values as there could be use for: a copy, since others may be changing them."""
        return list(islice(values, max(1, self._left)))

    def _text(self, text: str) -> Any:
        kept = text[: max(0, min(_LONGEST, self._left))]
        self._left -= len(kept)
        clean = _clean(kept)
        if clean == text:
            return text
        length = {"$length": len(text)} if len(kept) < len(text) else {}
        return {**_typed(str), "$text": clean, **length}


def _typed(kind: type[Any]) -> dict[str, Any]:
    return {"$type": f"{kind.__module__}.{kind.__qualname__}"}


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates are not UTF-8
