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

from bytecode import Instr, Label
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
    #: whether a name is looked up in the thing, not an item
    named: bool = False

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
#: variables, by file and name, that are given a value when others may have seen them
_rebound: set[tuple[str, str]] = set()


class AccessMarks(Kind):
    """A mark before each access: the listener gets the thing, the key in it, and the ``Access``.

    The key is the attribute's or the variable's name, or the item's key; None stands for all that is in the
    thing. The thing of a global is the ``Globals`` of the file, that of a shared variable its cell. The name
    of a builtin is taken for the builtin.
    """

    def marks(self, code: CodeType, body: Sequence[Element]) -> Iterable[Mark]:
        """The marks of one code object."""
        line = code.co_firstlineno
        _note_rebound(code, body)
        for index, element in enumerate(body):
            if not isinstance(element, Instr):
                continue
            if element.location is not None and element.location.lineno:
                line = element.location.lineno
            for thing, key, writes in _touched(code, element):
                named = "_ATTR" in element.name or element.name == "LOAD_METHOD"
                access = Access(code.co_filename, line, code.co_qualname, writes, named)
                yield Mark(index, (thing, key, access))


def may_change(file: str, variable: str) -> bool:
    """Whether a global or shared variable called that may change after others could have seen it.

    What is given a value once, before any function is made that sees it, may not. The code that does more
    must have been marked.
    """
    return (file, variable) in _rebound


def _note_rebound(code: CodeType, body: Sequence[Element]) -> None:
    labels: set[Label] = set()
    last_turn = -1
    stores: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for index, element in enumerate(body):
        if isinstance(element, Label):
            labels.add(element)
        elif isinstance(element, Instr):
            name, variable = element.name, element.arg
            if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                _rebound.add((code.co_filename, cast("str", variable)))
            elif name in _SHARED and name != "LOAD_DEREF":
                if isinstance(variable, FreeVar):
                    _rebound.add((code.co_filename, Cell(variable).name))
                elif isinstance(variable, CellVar):
                    stores.append((index, variable.name))
            elif isinstance(variable, CellVar) and name != "MAKE_CELL":
                seen.setdefault(variable.name, index)
            elif (
                isinstance(variable, Label) and variable in labels
            ):  # a loop: what comes before its end comes again
                last_turn = index
    for index, variable in stores:
        if index < last_turn or index > seen.get(variable, index):
            _rebound.add((code.co_filename, variable))


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
