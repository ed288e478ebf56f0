"""The marks before statements."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

from bytecode import Instr, Label

from simulators.marks.insertion import Element, Kind, Mark
from simulators.marks.source import NO_COLUMN, Scope, Span, Statement, Statements, lines_of, statements_of

#: What code objects begin with, and exception handlers: it sets the frame up for what follows.
_PRELUDE = frozenset({"COPY_FREE_VARS", "MAKE_CELL", "PUSH_EXC_INFO", "RESUME", "RETURN_GENERATOR"})
#: What the head of a loop does for each item, `for` and `async for`.
_NEXT_ITEM = frozenset({"FOR_ITER", "GET_ANEXT"})


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A statement in the code: one object for each, so it is quick to look up and may be counted."""

    file: str
    line: int
    #: the qualified name of the function, class or module that the statement is in
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class StatementMarks(Kind):
    """A mark wherever a statement begins, and wherever a loop turns back to its ``for``.

    Which instructions those are: the first one of each statement, and where the compiler repeated the
    statement (``finally``, the test of ``while``, a ``return`` shared by branches) the same one again. The
    rest of a statement that others interrupt (leaving a ``with``, a ``return`` after ``finally``) begins
    nothing.

    Without source, or where it is not the one that was compiled, each line is taken for a statement.
    """

    def marks(self, code: CodeType, body: Sequence[Element]) -> Iterable[Mark]:
        """The marks of one code object."""
        if code.co_name.startswith("<") and code.co_name not in ("<lambda>", "<module>"):
            return ()  # a comprehension, or what else the compiler made of a part of a statement
        spans = [_span(element) if isinstance(element, Instr) else None for element in body]
        columns = any(span is not None and span.column != NO_COLUMN for span in spans)
        if columns and (statements := statements_of(code.co_filename)):
            known = [span if span and span.column != NO_COLUMN else None for span in spans]
            if scope := statements.scope_of(code, filter(None, known)):
                return _Walk(code, statements, scope).marks(body, known)
        return _Walk(code, *lines_of(code)).marks(body, spans)


def _span(instruction: Instr) -> Span | None:
    """Where the instruction stands in the source, None if it is of the compiler's own making."""
    where = instruction.location
    if where is None or not where.lineno or instruction.name in _PRELUDE:
        return None
    if where.col_offset is None or where.end_col_offset is None:
        return Span(where.lineno, NO_COLUMN, where.lineno, NO_COLUMN)
    span = Span(where.lineno, where.col_offset, where.end_lineno or where.lineno, where.end_col_offset)
    return span if span[:2] != span[2:] else None


class _Walk:
    """One way through a code object, from the first instruction to the last."""

    def __init__(self, code: CodeType, statements: Statements, scope: Scope) -> None:
        self._code = code
        self._statements = statements
        self._scope = scope
        self._places: dict[Statement, Place] = {}
        self._first: dict[Statement, object] = {}

    def marks(self, body: Sequence[Element], spans: Sequence[Span | None]) -> Iterator[Mark]:
        turns = _turns(body, spans)
        labels: list[Label] = []
        previous: Statement | None = None
        before: Instr | None = None
        for index, (element, span) in enumerate(zip(body, spans, strict=True)):
            if isinstance(element, Label):
                labels.append(element)
            if not isinstance(element, Instr):
                continue
            statement = self._statements.at(span) if span is not None else previous
            if span is not None and statement is not None and statement.scope is self._scope:
                key = (element.name, element.arg, span)
                if statement is not previous:
                    begins = self._is_first(statement, key) or _melted(before)
                else:
                    begins = (bool(labels) or _jumps(before)) and self._is_first(statement, key)
                if begins:
                    yield Mark(index, (self._place(statement),))
                elif element.name in _NEXT_ITEM and _turns_back(statement, labels, turns):
                    yield Mark(index, (self._place(statement),), jumps_only=True)
            # A handler begins anew, also one of the very statement before it.
            previous, before = None if element.name in _PRELUDE else statement, element
            labels.clear()

    def _is_first(self, statement: Statement, key: object) -> bool:
        return self._first.setdefault(statement, key) == key

    def _place(self, statement: Statement) -> Place:
        if statement not in self._places:
            self._places[statement] = Place(self._code.co_filename, statement.line, self._code.co_qualname)
        return self._places[statement]


def _jumps(before: Instr | None) -> bool:
    return before is not None and before.has_jump()


def _melted(before: Instr | None) -> bool:
    # Within a line, Python 3.13 melts a statement's last store and the first load of the next statement.
    return before is not None and before.name == "STORE_FAST_LOAD_FAST"


def _turns(body: Sequence[Element], spans: Sequence[Span | None]) -> dict[Label, list[Span | None]]:
    """From where the code jumps back to each label."""
    turns: dict[Label, list[Span | None]] = {}
    for element, span in zip(body, spans, strict=True):
        if isinstance(element, Label):
            turns[element] = []
        elif isinstance(element, Instr) and isinstance(element.arg, Label) and element.arg in turns:
            turns[element.arg].append(span)
    return turns


def _turns_back(statement: Statement, labels: Sequence[Label], turns: dict[Label, list[Span | None]]) -> bool:
    # A comprehension in what the loop goes through is a loop too, but none of statements.
    return statement.iterable is not None and any(
        span is None or not statement.iterable.covers(span) for label in labels for span in turns[label]
    )
