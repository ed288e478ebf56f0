"""Parameters as JSON text: what a history keeps of the values a flow was called with."""

import dataclasses
import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any, cast

REDACTED = "********"

#: Longer texts, and collections of more items, are cut: a history is no place for data.
_LONGEST = 10_000
_DEEPEST = 20

_SECRET = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|credential|authorization",
    re.IGNORECASE,
)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters as a JSON object. Never raises.

    Values of parameters and keys that sound secret are redacted. A value that JSON cannot say is
    described as ``{"$type": "module.Class"}``, with ``"$text"`` where a plain text says it all.
    """
    if not parameters:
        return "{}"
    return json.dumps({name: _described(name, value, 0) for name, value in parameters.items()})


def _described(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _SECRET.search(name):
        return REDACTED
    kind = cast("type[Any]", type(value))
    if kind is int:
        return value if abs(value) < 10**300 else _typed(value)
    if kind is str:
        return _text(value)
    if kind is float:
        return value if math.isfinite(value) else {**_typed(value), "$text": str(value)}
    if depth >= _DEEPEST:
        return _typed(value)
    return _container(name, kind, value, depth)


def _container(name: str, kind: type[Any], value: Any, depth: int) -> Any:
    if kind is dict:
        items = list(cast("dict[Any, Any]", value).items())[:_LONGEST]
        if all(isinstance(key, str) for key, _ in items):
            return {_text(key): _described(key, item, depth + 1) for key, item in items}
        return _typed(value)
    if kind is list:
        return [_described(name, item, depth + 1) for item in cast("list[Any]", value)[:_LONGEST]]
    if kind in (tuple, set, frozenset):
        items = list(cast("tuple[Any, ...]", value))[:_LONGEST]
        return {**_typed(value), "$items": [_described(name, item, depth + 1) for item in items]}
    if dataclasses.is_dataclass(kind):
        fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(kind)}
        return {**_typed(value), "$fields": _described(name, fields, depth + 1)}
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(value, pydantic.BaseModel):
        return {**_typed(value), "$fields": _described(name, dict(value.__dict__), depth + 1)}
    if kind.__module__ in {"datetime", "pathlib", "uuid", "decimal", "fractions"}:
        return {**_typed(value), "$text": _text(str(value))}
    return _typed(value)


def _typed(value: object) -> dict[str, Any]:
    return {"$type": f"{type(value).__module__}.{type(value).__qualname__}"}


def _text(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates are not UTF-8
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}... ({len(clean)} characters)"
