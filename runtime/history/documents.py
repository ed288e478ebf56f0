"""JSON from outside, read with suspicion: every complaint says what is wrong, and where."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from reprlib import Repr
from typing import Any, TypeVar, cast
from uuid import UUID

from runtime.exceptions import HistoryError

T = TypeVar("T")

#: what a 64-bit column can hold
_MOST = 2**63 - 1


class Value:
    """One value of a document, which knows the way to itself: ``changes[3].name``."""

    __slots__ = ("_key", "_parent", "value")

    def __init__(self, value: Any, parent: "Value | None" = None, key: str = "the document") -> None:
        self.value = value
        self._parent = parent
        self._key = key

    @property
    def place(self) -> str:
        """Where in the document it stands."""
        if self._parent is None:
            return self._key
        if self._parent._parent is None:
            return self._key.removeprefix(".")
        return self._parent.place + self._key

    def wrong(self, problem: str) -> HistoryError:
        """The error that says so, for the caller to raise."""
        return HistoryError(f"Not a history, at {self.place}: {problem}")

    def members(self, *names: str) -> "list[Value]":
        """The members of an object that has exactly these."""
        value = self.value
        if isinstance(value, _Ambiguous):
            raise self.wrong(f"the member {_shown.repr(value.name)} is there twice")
        if not isinstance(value, dict):
            raise self._expected("an object")
        fields = cast("dict[str, object]", value)
        if len(fields) != len(names) or not all(name in fields for name in names):
            missing = [name for name in names if name not in fields]
            unknown = [_shown.repr(name) for name in fields if name not in names]
            raise self.wrong(
                f"the member {missing[0]!r} is missing"
                if missing
                else f"nobody knows the member {unknown[0]}"
            )
        return [Value(fields[name], self, f".{name}") for name in names]

    def items(self) -> "Iterator[Value]":
        """The items of an array."""
        value = self.value
        if not isinstance(value, list):
            raise self._expected("an array")
        for index, item in enumerate(cast("list[object]", value)):
            yield Value(item, self, f"[{index}]")

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self._expected("a string")
        return self.value

    def one_of(self, known: Collection[str]) -> str:
        """One of some strings."""
        if not isinstance(self.value, str) or self.value not in known:
            raise self._expected(f"one of {', '.join(sorted(known))}")
        return self.value

    def whole(self, least: int = 0) -> int:
        """A whole number."""
        if type(self.value) is not int or not least <= self.value <= _MOST:
            raise self._expected(f"a whole number from {least} to {_MOST}")
        return self.value

    def number(self, least: float, most: float = math.inf) -> float:
        """A finite number."""
        if type(self.value) not in {int, float} or not least <= self.value <= most or self.value == math.inf:
            bound = "" if most == math.inf else f" and at most {most:.0f}"
            raise self._expected(f"a finite number, at least {least:.0f}{bound}")
        return float(self.value)

    def identity(self) -> UUID:
        """The id of a run."""
        if isinstance(self.value, str) and len(self.value) == 36:
            try:
                identity = UUID(self.value)
            except ValueError:
                pass
            else:
                if str(identity) == self.value:
                    return identity
        raise self._expected("an id, such as 0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f")

    def optional(self, read: "Callable[[Value], T]") -> T | None:
        """What ``read`` makes of it; None for null."""
        return None if self.value is None else read(self)

    def _expected(self, what: str) -> HistoryError:
        return self.wrong(f"expected {what}, found {_shown.repr(self.value)}")


def parse(document: str | bytes, largest: int) -> Value:
    """The document as a value. Raises ``HistoryError`` where it is longer than ``largest``, or no JSON."""
    if len(document) > largest:
        raise HistoryError(
            f"Not read: {len(document):,} characters are more than a history may have here ({largest:,})."
        )
    text = _decoded(document)
    try:
        return Value(json.loads(text, object_pairs_hook=_object, parse_int=_whole))
    except RecursionError:
        place = _deep_place(text)
        if place is None:  # not the document is deep, but whoever reads it
            raise
        raise HistoryError(f"Not a history: nested too deep, at {place}") from None
    except ValueError as error:
        raise HistoryError(f"Not JSON: {error}") from error


def _decoded(document: str | bytes) -> str:
    try:
        if isinstance(document, str):
            if not document.isascii():
                document.encode()
            return document
        return document.decode()
    except UnicodeError as error:
        raise HistoryError(f"Not text in UTF-8: {error}") from error


class _Ambiguous(dict[str, object]):
    """An object that has a member twice."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        seen: set[str] = set()
        self.name = next(name for name, _ in members if name in seen or seen.add(name))


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(members)
    return fields if len(fields) == len(members) else _Ambiguous(members)


def _whole(digits: str) -> float:
    # Reading a number takes time that grows with the square of its length. No longer one is of use here,
    # and infinity is refused where it stands.
    return int(digits) if len(digits) <= 20 else math.inf


def _deep_place(text: str) -> str | None:
    """Where the document is nested deeper than any history, if it is."""
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > _DEEPEST:
                line = text.count("\n", 0, token.start()) + 1
                column = token.start() - text.rfind("\n", 0, token.start())
                return f"line {line} column {column}"
        elif token[0] in "]}":
            depth -= 1
    return None


_DEEPEST = 8
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

_shown = Repr()
_shown.maxlevel = 2
_shown.maxstring = _shown.maxother = 60
