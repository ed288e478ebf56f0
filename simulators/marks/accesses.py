"""The marks before accesses: where code reads or writes what other runs may see too.

That is attributes, items of containers, globals, and variables that functions share. Locals are nobody
else's. What code in C does to an object (`list.append`, `sorted`) is not seen, only that it was asked to.
"""

import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import cast

from bytecode import Instr
from bytecode.instr import CellVar, FreeVar

from simulators.marks.insertion import Cell, Copied, Element, Kind, Mark


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """One read or write in the code, one object for each."""

    file: str
    line: int
    #: the qualified name of the function that it is in
    function: str
    writes: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}, a {'write' if self.writes else 'read'}"


@dataclass(frozen=True, slots=True, eq=False)
class Globals:
    """The thing whose keys are the global variables of a file; one object for each file."""

    file: str


@dataclass(frozen=True, slots=True)
class _Touch:
    """What an instruction touches: places on the stack, 1 being the top."""

    thing: int
    #: None: the name in the instruction, or all that is in the thing
    key: int | None = None
    writes: bool = False


_TOUCHES = {
    "LOAD_ATTR": _Touch(1),
    "LOAD_METHOD": _Touch(1),
    "LOAD_SUPER_ATTR": _Touch(1),
    "STORE_ATTR": _Touch(1, writes=True),
    "DELETE_ATTR": _Touch(1, writes=True),
    "BINARY_SUBSCR": _Touch(2, key=1),
    "STORE_SUBSCR": _Touch(2, key=1, writes=True),
    "DELETE_SUBSCR": _Touch(2, key=1, writes=True),
    "BINARY_SLICE": _Touch(3),
    "STORE_SLICE": _Touch(3, writes=True),
    "CONTAINS_OP": _Touch(1, key=2),
    "GET_ITER": _Touch(1),
}
#: Whether they write.
_GLOBALS = {"LOAD_GLOBAL": False, "STORE_GLOBAL": True, "DELETE_GLOBAL": True}
_SHARED = {"LOAD_DEREF": False, "STORE_DEREF": True, "DELETE_DEREF": True}
_BUILTINS = frozenset(vars(builtins))


class AccessMarks(Kind):
    """A mark before each access: the listener gets the thing, the key in it, and the ``Access``.

    The key is the attribute's or the variable's name, or the item's key; None stands for all that is in the
    thing. The thing of a global is the ``Globals`` of the file, that of a shared variable its cell. The name
    of a builtin is taken for the builtin.
    """

    def marks(self, code: CodeType, body: Sequence[Element]) -> Iterable[Mark]:
        """The marks of one code object."""
        line = code.co_firstlineno
        for index, element in enumerate(body):
            if not isinstance(element, Instr):
                continue
            if element.location is not None and element.location.lineno:
                line = element.location.lineno
            for thing, key, writes in _touched(code, element):
                access = Access(code.co_filename, line, code.co_qualname, writes)
                yield Mark(index, (thing, key, access))


def _touched(code: CodeType, instruction: Instr) -> Iterator[tuple[object, object, bool]]:
    """The thing that an instruction touches, the key, and whether it is written; nothing, or one of them."""
    name, argument = instruction.name, instruction.arg
    if touch := _TOUCHES.get(name):
        key = Copied(touch.key) if touch.key is not None else _name(argument)
        yield Copied(touch.thing), key, touch.writes
    elif name in _GLOBALS and (variable := _name(argument)) not in _BUILTINS:
        yield _globals_of(code.co_filename), variable, _GLOBALS[name]
    elif name in _SHARED and isinstance(argument, CellVar | FreeVar):
        cell = Cell(argument)
        if cell.name != "__class__":  # what super() asks for
            yield cell, cell.name, _SHARED[name]


def _name(argument: object) -> str | None:
    """The name in an argument; loads pack it together with flags."""
    last = cast("tuple[object, ...]", argument)[-1] if isinstance(argument, tuple) else argument
    return last if isinstance(last, str) else None


@cache
def _globals_of(file: str) -> Globals:
    return Globals(file)
