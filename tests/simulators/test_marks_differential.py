"""Real code does the same with marks: the standard library, taken apart and at work."""

import dis
import sys
import sysconfig
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from types import CodeType

import pytest

from simulators.marks.accesses import AccessMarks
from simulators.marks.insertion import insert, original
from simulators.marks.statements import StatementMarks

STATEMENTS, ACCESSES = StatementMarks(), AccessMarks()
KINDS = (STATEMENTS, ACCESSES)
LIBRARY = Path(sysconfig.get_path("stdlib"))
SAMPLE = ["asyncio/tasks.py", "contextlib.py", "dataclasses.py", "enum.py", "subprocess.py", "tempfile.py"]
#: instructions of a mark before the listener is loaded
AHEAD = 0 if sys.version_info >= (3, 13) else 1
KEPT = ["co_name", "co_qualname", "co_filename", "co_firstlineno", "co_flags", "co_varnames", "co_cellvars"]
KEPT += ["co_freevars", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount"]


def code_objects(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


def code_of_file(file: Path) -> CodeType | None:
    try:
        return compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None  # the library has files that are wrong on purpose


class Listing:
    """What a code object does besides its marks, wherever in it the instructions stand."""

    def __init__(self, code: CodeType) -> None:
        instructions = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
        self._entries = dis.Bytecode(code).exception_entries
        #: the instructions of each mark, and the offsets of jumps over marks
        self.marks, jumps = _marks(instructions)
        left_out = {i.offset for mark in self.marks for i in mark} | jumps
        self._kept = [i for i in instructions if i.offset not in left_out]
        self._offsets = [i.offset for i in self._kept]

    @property
    def lines(self) -> list[tuple]:
        """Name, argument, position, and handler of each instruction."""
        return [(i.opname, self._argument(i), i.positions, self.handler(i)) for i in self._kept]

    def after(self, instruction: dis.Instruction) -> dis.Instruction:
        """The next instruction that is no mark's."""
        return self._kept[self._index(instruction.offset)]

    def handler(self, instruction: dis.Instruction) -> tuple[int, int, bool] | None:
        """Where exceptions of the instruction go, if they are handled."""
        for entry in self._entries:
            if entry.start <= instruction.offset < entry.end:
                return self._index(entry.target), entry.depth, entry.lasti
        return None

    def _index(self, offset: int) -> int:
        return bisect_left(self._offsets, offset)

    def _argument(self, instruction: dis.Instruction) -> object:
        value = instruction.argval
        if instruction.opcode in dis.hasjrel:
            return self._index(value)
        if isinstance(value, CodeType):
            return id(original(value))
        if instruction.opcode in dis.hasconst:
            return repr(value)
        return instruction.argrepr or value


def _marks(instructions: list[dis.Instruction]) -> tuple[list[list[dis.Instruction]], set[int]]:
    marks, jumps = [], set()
    names = [i.opname for i in instructions]
    for index, instruction in enumerate(instructions):
        if instruction.argval is STATEMENTS or instruction.argval is ACCESSES:
            start, end = index - AHEAD, names.index("POP_TOP", index) + 1
            mark = instructions[start:end]
            marks.append(mark)
            before, after = instructions[start - 1], instructions[end]
            # The target may be an EXTENDED_ARG of the instruction.
            if before.opname == "JUMP_FORWARD" and mark[-1].offset < before.argval <= after.offset:
                jumps.add(before.offset)
    return marks, jumps


def depth(mark: list[dis.Instruction]) -> int:
    """How much of the stack a mark needs."""
    heights = accumulate(dis.stack_effect(i.opcode, i.arg) for i in mark)
    return max(heights)


def assert_nothing_but_marks_is_new(code: CodeType, marked: CodeType) -> int:
    """Returns how many marks there are."""
    without, listing = Listing(code), Listing(marked)
    assert listing.lines == without.lines
    for mark in listing.marks:
        assert sum(dis.stack_effect(i.opcode, i.arg) for i in mark) == 0
        for instruction in mark:
            assert instruction.positions == listing.after(instruction).positions
            assert listing.handler(instruction) == listing.handler(listing.after(instruction))
    assert marked.co_stacksize == code.co_stacksize + max(map(depth, listing.marks), default=0)
    for name in KEPT:
        assert getattr(marked, name) == getattr(code, name)
    return len(listing.marks)


def take_apart(files: Iterable[Path]) -> int:
    """Marks all code of the files, compares it, and returns how many marks there were."""
    marks = 0
    for file in files:
        whole = code_of_file(file)
        if whole is not None:
            for marked in code_objects(insert(whole, KINDS)):
                marks += assert_nothing_but_marks_is_new(original(marked), marked)
    return marks


@pytest.mark.slow
@pytest.mark.parametrize("file", SAMPLE)
def test_marks_are_all_that_is_new_in_code(file):
    assert take_apart([LIBRARY / file]) > 100


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("initial", "_abcdefghijklmnopqrstuvwxyz")
def test_marks_are_all_that_is_new_in_the_whole_standard_library(initial):
    files = [
        file
        for file in sorted(LIBRARY.rglob("*.py"))
        if file.relative_to(LIBRARY).parts[0].lower().startswith(initial)
        and "site-packages" not in file.parts
    ]

    assert take_apart(files) > 0 or not files
