"""Puts marks into a code object: calls that the code makes on its way, and nothing else that it could notice.

A mark calls a listener, and leaves the stack as it was. It bears the source position of the instruction
that it stands before, so line tables, tracebacks and tracing read as without it, and it stands inside of the
same exception handlers, so an exception that the listener raises arrives where one of that instruction would.

What is marked is decided by a *kind*. A marked code object holds the kind itself where the listener belongs:
it can be kept, and gets listeners (``connect``) in a few microseconds.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from types import CodeType
from typing import Any, cast

from bytecode import Bytecode, Instr, Label
from bytecode.instr import UNSET, CellVar, FreeVar, TryBegin, TryEnd

#: What a bytecode consists of.
Element = Instr | Label | TryBegin | TryEnd
#: Called with the arguments of a mark.
Listener = Callable[..., object]
_FREE = "free "


@dataclass(frozen=True, slots=True)
class Copied:
    """An argument: what lies on the stack, 1 being its top."""

    place: int


@dataclass(frozen=True, slots=True)
class Cell:
    """An argument: the cell that a variable of several functions lives in."""

    variable: CellVar | FreeVar

    @property
    def name(self) -> str:
        """The variable's name in the source."""
        return self.variable.name.removeprefix(_FREE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A call before the instruction at ``index``."""

    index: int
    #: constants, and what is found at run time
    arguments: tuple[object, ...]
    #: only who jumps to the instruction makes the call, not who arrives from the one before
    jumps_only: bool = False


class Kind(ABC):
    """Decides what is marked. Its instances stand in marked code where their listeners belong."""

    @abstractmethod
    def marks(self, code: CodeType, body: Sequence[Element]) -> Iterable[Mark]:
        """The marks of one code object, which says ``body``; nested code comes by itself."""


@dataclass(frozen=True, slots=True)
class _Original:
    """Stands last among the constants of marked code."""

    code: CodeType


def insert(code: CodeType, kinds: tuple[Kind, ...]) -> CodeType:
    """The code object with marks of these kinds, in nested code too; the same object where there are none."""
    marked = _change_constants(_insert_here(code, kinds), lambda constant: _inserted(constant, kinds))
    if marked is code:
        return code
    return marked.replace(co_consts=(*marked.co_consts, _Original(code)))


def connect(code: CodeType, listeners: Mapping[Kind, Listener]) -> CodeType:
    """The marked code object with a listener for each kind."""
    return _change_constants(code, lambda constant: _connected(constant, listeners))


def original(code: CodeType) -> CodeType:
    """The code object without marks."""
    last = code.co_consts[-1] if code.co_consts else None
    return last.code if isinstance(last, _Original) else code


def _change_constants(code: CodeType, change: Callable[[object], object]) -> CodeType:
    constants = tuple(change(constant) for constant in code.co_consts)
    if all(map(is_, constants, code.co_consts)):
        return code
    return code.replace(co_consts=constants)


def _inserted(constant: object, kinds: tuple[Kind, ...]) -> object:
    return insert(constant, kinds) if isinstance(constant, CodeType) else constant


def _connected(constant: object, listeners: Mapping[Kind, Listener]) -> object:
    if isinstance(constant, CodeType):
        return connect(constant, listeners)
    return listeners[constant] if isinstance(constant, Kind) else constant


def _insert_here(code: CodeType, kinds: tuple[Kind, ...]) -> CodeType:
    # The depths that the exception table gives hold with marks too, so nothing needs to be computed anew.
    bytecode = Bytecode.from_code(_without_namesakes(code), conserve_exception_block_stackdepth=True)
    body = cast("list[Element]", list(bytecode))
    before: dict[int, list[tuple[Kind, Mark]]] = {}
    for kind in kinds:
        for mark in kind.marks(code, body):
            before.setdefault(mark.index, []).append((kind, mark))
    if not before:
        return code

    marked: list[Element] = []
    for index, element in enumerate(body):
        for kind, mark in before.get(index, ()):
            _add(marked, kind, mark, cast("Instr", element))
        marked.append(element)
    bytecode[:] = marked
    # Otherwise locals that are no arguments would be counted in the order of their first use.
    bytecode.argnames = list(code.co_varnames)
    depth = max(2 + len(mark.arguments) for marks in before.values() for _, mark in marks)
    marked_code = bytecode.to_code(stacksize=code.co_stacksize + depth, compute_exception_stack_depths=False)
    return marked_code.replace(co_freevars=code.co_freevars)


def _without_namesakes(code: CodeType) -> CodeType:
    """The code with names for its free variables that no local has.

    A comprehension in a class body may have a local that is called like a free variable of the class, which
    `bytecode` 0.19 takes for one and the same on Python 3.13.
    """
    return code.replace(co_freevars=tuple(_FREE + name for name in code.co_freevars))


def _add(marked: list[Element], kind: Kind, mark: Mark, before: Instr) -> None:
    if not mark.jumps_only:
        marked += _call(kind, mark, before)
        return
    past = Label()
    arrival = len(marked)
    while isinstance(marked[arrival - 1], Label | TryBegin):
        arrival -= 1
    marked.insert(arrival, Instr("JUMP_FORWARD", past, location=before.location))
    marked += [*_call(kind, mark, before), past]


def _call(kind: Kind, mark: Mark, before: Instr) -> Iterator[Element]:
    """The instructions of a mark, in the order that this version of Python wants."""
    instructions: list[tuple[str, Any]] = [("LOAD_CONST", kind)]
    instructions.insert(1 if sys.version_info >= (3, 13) else 0, ("PUSH_NULL", UNSET))
    instructions += [_load(argument, 2 + given) for given, argument in enumerate(mark.arguments)]
    if sys.version_info < (3, 12):
        instructions.append(("PRECALL", len(mark.arguments)))
    instructions += [("CALL", len(mark.arguments)), ("POP_TOP", UNSET)]
    return (Instr(name, argument, location=before.location) for name, argument in instructions)


def _load(argument: object, pushed: int) -> tuple[str, Any]:
    if isinstance(argument, Copied):
        return "COPY", argument.place + pushed
    if isinstance(argument, Cell):
        return "LOAD_FAST" if sys.version_info >= (3, 13) else "LOAD_CLOSURE", argument.variable
    return "LOAD_CONST", argument
