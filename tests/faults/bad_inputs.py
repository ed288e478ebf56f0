"""What users may hand over by mistake or by malice: values, names, options, exceptions, files."""

import asyncio
import collections
import enum
import math
import random
import sys
import threading
import types
from dataclasses import dataclass
from typing import NamedTuple

from runtime.exceptions import CrashedRun, IllegalTransition, StoreError


def raising(*names):
    """An object whose special methods raise."""

    def method(self, *arguments, **options):
        raise ZeroDivisionError("a trap")

    return type("Trap", (), dict.fromkeys(names, method))()


class Lying:
    """Says that it is a list, and that it has every attribute."""

    __class__ = property(lambda self: list)

    def __getattr__(self, name):
        return self


class Metatrap(type):
    def __instancecheck__(cls, instance):
        raise ZeroDivisionError("a trap")

    def __eq__(cls, other):
        raise ZeroDivisionError("a trap")

    __hash__ = type.__hash__


class TrappedClass(metaclass=Metatrap):
    pass


class Mapping(dict):
    def items(self):
        raise ZeroDivisionError("a trap")

    __iter__ = keys = values = items


class Sequence(list):
    def __iter__(self):
        raise ZeroDivisionError("a trap")


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise ZeroDivisionError("a trap")

    __repr__ = __format__ = __str__


@dataclass
class Narrow:
    """Cannot be made again of its fields."""

    x: int

    def __post_init__(self):
        if self.x != 1:
            raise ZeroDivisionError("a trap")


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = object()


def recursive_list():
    made = [1]
    made.append(made)
    return made


def recursive_dict():
    made = {}
    made["itself"] = made
    return made


def deep(depth=5_000):
    made = []
    for _ in range(depth):
        made = [made]
    return made


def values():
    """Names and values; each call makes new ones."""
    yield from {
        "none": None,
        "not a number": math.nan,
        "infinite": math.inf,
        "huge": 10**5_000,
        "surrogate": "\ud800",
        "null character": "a\0b",
        "long": "x" * 1_000_000,
        "bytes": b"\xff\x00",
        "ellipsis": ...,
        "not implemented": NotImplemented,
        "recursive list": recursive_list(),
        "recursive dictionary": recursive_dict(),
        "deep list": deep(),
        "no equality": raising("__eq__", "__hash__"),
        "no truth": raising("__bool__", "__len__"),
        "no text": raising("__repr__", "__str__", "__format__"),
        "no pickle": raising("__reduce__", "__reduce_ex__", "__getstate__"),
        "no attributes": raising("__getattribute__"),
        "no iteration": raising("__iter__", "__getitem__", "__contains__"),
        "no copy": raising("__copy__", "__deepcopy__"),
        "liar": Lying(),
        "trapped class": TrappedClass,
        "trapped dictionary": Mapping(a=1),
        "trapped list": Sequence([1]),
        "trapped text": Text("x"),
        "narrow dataclass": Narrow(1),
        "enumeration": Colour.RED,
        "lock": threading.Lock(),
        "module": sys,
        "class": int,
        "function": deep,
        "lambda": lambda: None,
        "exception": ValueError("a value"),
        "exception class": KeyboardInterrupt,
        "namespace": types.SimpleNamespace(x=1),
        "named tuple": Point(1, 2),
        "queue": collections.deque([1, 2]),
        "default dictionary": collections.defaultdict(list, a=[1]),
        "memory": memoryview(b"abc"),
        "slice": slice(1, 2),
        "frame": sys._getframe(),
        "odd keys": {None: 1, (1, 2): 2, math.nan: 3},
        "loop policy": asyncio.Lock,
        "empty": [],
        "nested empty": {"a": [(), set(), {}]},
    }.items()


#: none of them is a value that every option takes
OPTION_VALUES = {
    "negative": -1,
    "zero": 0,
    "fraction": 0.5,
    "not a number": math.nan,
    "infinite": math.inf,
    "huge": 10**400,
    "true": True,
    "text": "x",
    "no text": "",
    "bytes": b"x",
    "list": [1, "x"],
    "no list": [],
    "dictionary": {"x": 1},
    "set": {1},
    "object": object(),
    "class": int,
    "function": lambda *arguments: None,
    "raises": raising("__eq__", "__hash__", "__bool__"),
    "complex": 1j,
}

NAMES = [
    "",
    " ",
    "\n",
    "\0",
    "\ud800",
    "a/b",
    "a%b",
    "a&b",
    "<b>",
    "..",
    "../../etc/passwd",
    "x" * 10_000,
    "{x}",
    "{",
    "{}",
    "{0}",
    "%s %d",
    "$(reboot)",
    "'; DROP TABLE flow_run; --",
    "[bold]x[/bold]",
    "[/]",
    "\u202egnp.exe",
    "\N{SNAKE}",
    "\x1b[31mred",
    "latest",
    "-0",
    "a-0/b-0",
    "__class__",
    "None",
]

TEMPLATES = ["{x}", "{", "}", "{}", "{0}", "{nope}", "{x.__class__}", "{x[0]}", "{x!r}", "{x!q}", "{x:>9999}"]
TEMPLATES += ["{x:bad}", "{x.nope}", "{x[nope]}", "{x:{x}}", "\ud800{x}", "{x!s:\0>5}"]


def _odd(name, base=Exception, **members):
    return type(name, (base,), members)


def _trap(*arguments, **options):
    raise ZeroDivisionError("a trap")


def _chained(length):
    error = ValueError("0")
    for number in range(1, length):
        after = ValueError(str(number))
        after.__cause__ = error
        error = after
    return error


def _cyclic():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _noted():
    error = ValueError("noted")
    error.__notes__ = [1, object(), "a note"]
    return error


def exceptions():
    """Names and exceptions; each call makes new ones."""
    yield from {
        "plain": ValueError("plain"),
        "surrogate": ValueError("\ud800"),
        "markup": ValueError("[bold]no[/] [/nothing]"),
        "long": ValueError("x" * 1_000_000),
        "no text": _odd("NoText", __str__=_trap)("hidden"),
        "no repr": _odd("NoRepr", __repr__=_trap, __str__=_trap)(),
        "number as text": _odd("Number", __str__=lambda self: 7)(),
        "no equality": _odd("NoEquality", __eq__=_trap, __hash__=_trap)(),
        "no pickle": _odd("NoPickle", __reduce__=_trap)(),
        "no truth": _odd("NoTruth", __bool__=_trap, __len__=_trap)("mine"),
        "two arguments": _odd("Two", __init__=lambda self, one, two: None)(1, 2),
        "lying": _odd("Lying", __class__=property(lambda self: int))(),
        "group": ExceptionGroup("several", [ValueError("a"), TypeError("b")]),
        "crash in a group": BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError("b")]),
        "chain": _chained(2_000),
        "circle": _cyclic(),
        "noted": _noted(),
        "stop": StopIteration(3),
        "async stop": StopAsyncIteration(3),
        "recursion": RecursionError("deep"),
        "memory": MemoryError(),
        "assertion": AssertionError(object()),
        "warning": UserWarning("a warning"),
        "timeout": TimeoutError("mine"),
        "system": OSError(2, "No such file", "x"),
        "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        "import": ModuleNotFoundError("No module named 'x'"),
        "ours: crash": CrashedRun("mine"),
        "ours: illegal": IllegalTransition("mine"),
        "ours: store": StoreError("mine"),
        "cancelled": asyncio.CancelledError("mine"),
        "generator": GeneratorExit("mine"),
        "exit": SystemExit(object()),
        "base": _odd("Base", BaseException)("mine"),
        "base without text": _odd("BaseNoText", BaseException, __str__=_trap)("mine"),
    }.items()


def damages(content, count, seed=7):
    """Versions of a file in which something is wrong."""
    chance = random.Random(seed)
    yield b""
    yield b"not a database at all"
    yield bytes(4096)
    yield content[:100]
    for _ in range(count):
        damaged = bytearray(content)
        kind = chance.randrange(3)
        if kind == 0:
            del damaged[chance.randrange(len(damaged)) :]
        elif kind == 1:
            for _ in range(chance.choice([1, 10, 100])):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        else:
            start = chance.randrange(0, len(damaged), 512)
            damaged[start : start + 4096] = chance.randbytes(min(4096, len(damaged) - start))
        yield bytes(damaged)
