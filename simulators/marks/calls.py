"""The marks before calls that read or change a container, or an attribute whose name is a string."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import cast

from bytecode import BinaryOp, Instr

from simulators.marks.insertion import Copied, Element, Kind, Mark

#: Methods of built-in containers that change them.
WRITING = frozenset(
    """
    append appendleft extend extendleft insert remove pop popleft popitem clear sort reverse rotate add
    discard update setdefault move_to_end subtract
    difference_update intersection_update symmetric_difference_update
    __setitem__ __delitem__ __setattr__ __delattr__ __iadd__ setitem delitem iadd
    """.split()
)
#: Methods of theirs that read them.
READING = frozenset(
    """
    get items keys values copy index count union intersection difference symmetric_difference issubset
    issuperset isdisjoint most_common elements total
    __getitem__ __contains__ __len__ __iter__ __getattribute__
    getitem contains
    """.split()
)
#: Builtins that read what they are given, or an attribute of that.
BUILTINS = frozenset(
    """
    len sorted sum min max any all list tuple set frozenset dict iter enumerate zip map filter reversed repr
    str bool getattr hasattr setattr delattr
    """.split()
)
_METHODS = WRITING | READING
_LOADS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_NAMED = _LOADS | {"LOAD_GLOBAL"}
_CALLS = frozenset({"CALL", "CALL_KW"})


#: Where a container says whether there is anything in it.
_TESTS = frozenset(
    {"TO_BOOL"}
    if sys.version_info >= (3, 13)
    else {"UNARY_NOT", "JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP"}
    | {f"POP_JUMP_{way}IF_{what}" for way in ("", "FORWARD_", "BACKWARD_") for what in ("TRUE", "FALSE")}
)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call in the code; one object for each."""

    file: str
    line: int
    #: the qualified name of the function that it is in
    function: str
    #: the name of what is called
    name: str
    #: with how many arguments
    arguments: int
    #: whether the name is looked up in a thing
    method: bool = False

    @property
    def writes(self) -> bool:
        """Whether something is changed, where it is what its name says."""
        return self.name in WRITING or self.name in ("setattr", "delattr")

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}, {self.name}()"


class CallMarks(Kind):
    """A mark before each such call: the listener gets the ``Call`` and the first two arguments, or None.

    The thing that a method was looked up in is not at hand at its call. The mark before the look-up has it.
    """

    def marks(self, code: CodeType, body: Sequence[Element]) -> Iterable[Mark]:
        """The marks of one code object."""
        looked_up: list[tuple[tuple[int | None, int | None], str, bool]] = []
        line = code.co_firstlineno
        for index, element in enumerate(body):
            if not isinstance(element, Instr):
                continue
            if element.location is not None and element.location.lineno:
                line = element.location.lineno
            name = _name(element) if element.name in _NAMED else ""
            if element.name in _LOADS and name in _METHODS:
                looked_up.append((_start(element), name, True))
            elif element.name == "LOAD_GLOBAL" and name in BUILTINS:
                looked_up.append((_start(element), name, False))
            elif element.name in _TESTS and not _is_test(body[index - 1]):
                call = Call(code.co_filename, line, code.co_qualname, "bool", 1)
                yield Mark(index, (call, Copied(1), None))
            elif element.name == "BINARY_OP" and cast("int", element.arg) >= BinaryOp.INPLACE_ADD:
                call = Call(code.co_filename, line, code.co_qualname, "iadd", 2)
                yield Mark(index, (call, Copied(2), None))
            elif element.name in _CALLS and looked_up and looked_up[-1][0] == _start(element):
                _, called, method = looked_up.pop()
                arguments = cast("int", element.arg)
                call = Call(code.co_filename, line, code.co_qualname, called, arguments, method)
                yield Mark(
                    _before(body, index), (call, *_copied(arguments, names_on_top=element.name == "CALL_KW"))
                )


def _is_test(element: Element) -> bool:
    return isinstance(element, Instr) and element.name in ("COMPARE_OP", "CONTAINS_OP", "IS_OP")


def _copied(arguments: int, *, names_on_top: bool) -> Iterator[object]:
    for position in range(2):
        place = arguments - position
        yield Copied(place + names_on_top) if place > 0 else None


def _start(instruction: Instr) -> tuple[int | None, int | None]:
    where = instruction.location
    return (where.lineno, where.col_offset) if where is not None else (None, None)


def _before(body: Sequence[Element], index: int) -> int:
    """Where a call begins: it must not be parted from what prepares it."""
    while isinstance(before := body[index - 1], Instr) and before.name in ("PRECALL", "KW_NAMES"):
        index -= 1
    return index


def _name(instruction: Instr) -> str:
    argument = instruction.arg
    last = cast("tuple[object, ...]", argument)[-1] if isinstance(argument, tuple) else argument
    return last if isinstance(last, str) else ""
