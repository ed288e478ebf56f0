"""Where statements begin in a source file, and to which of them a position in it belongs.

A statement here is what a reader takes for one step: a simple statement however many lines it has, each of
several on one line, the head of a compound one (``if``, ``elif``, ``while``, ``for``, ``with``, ``match``,
``def``, ``class``), an ``except`` or ``case`` clause, and the body of a lambda. ``try:``, ``else:``,
``finally:`` and ``while True:`` do nothing by themselves and are none. A comprehension is a part of the
statement that it stands in.
"""

import ast
import linecache
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

#: The column of code that was compiled without columns: before the first one.
NO_COLUMN = -1


class Span(NamedTuple):
    """A piece of source; lines count from 1, columns are bytes and count from 0, as in a line table."""

    line: int
    column: int
    end_line: int
    end_column: int

    def covers(self, other: "Span") -> bool:
        """Whether the other lies in this one."""
        return self[:2] <= other[:2] and other[2:] <= self[2:]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A function, class, lambda or module: what has a code object of its own."""

    name: str
    line: int
    depth: int

    def is_of(self, code: CodeType) -> bool:
        """Whether this code object may be its."""
        return self.name == code.co_name and self.line == code.co_firstlineno


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement, and where it begins."""

    line: int
    scope: Scope
    #: what a `for` goes through: a jump back to the loop's head begins the statement anew
    iterable: Span | None = None


class Statements:
    """The statements of a file in the order of their text."""

    def __init__(self, scopes: Iterable[Scope], starts: Iterable[tuple[int, int, Statement]]) -> None:
        ordered = list(starts)
        self._scopes = tuple(scopes)
        self._positions = [(line, column) for line, column, _ in ordered]
        self._statements = [statement for _, _, statement in ordered]

    def at(self, span: Span) -> Statement | None:
        """The innermost statement at the beginning of the span."""
        index = bisect_right(self._positions, (span.line, span.column)) - 1
        return self._statements[index] if index >= 0 else None

    def scope_of(self, code: CodeType, spans: Iterable[Span]) -> Scope | None:
        """The scope with this code object, whose instructions have these spans; None where it is not here."""
        if not any(scope.is_of(code) for scope in self._scopes):
            return None
        # Several lambdas may begin on one line: the innermost that its instructions reach into is the one.
        found = {statement.scope for span in spans if (statement := self.at(span))}
        return max(
            (scope for scope in found if scope.is_of(code)), key=lambda scope: scope.depth, default=None
        )


def statements_of(file: str) -> Statements | None:
    """The statements of a source file, None if it cannot be read or is no Python."""
    source = "".join(linecache.getlines(file))
    return _parsed(source) if source else None


def lines_of(code: CodeType) -> tuple[Statements, Scope]:
    """For code without source: each line of the code object's table, taken for a statement."""
    scope = Scope(code.co_name, code.co_firstlineno, 0)
    lines = sorted({line for _, _, line in code.co_lines() if line})
    starts = [
        (line, NO_COLUMN, Statement(line, scope, Span(line, NO_COLUMN, line + 1, NO_COLUMN)))
        for line in lines
    ]
    return Statements([scope], starts), scope


@lru_cache(maxsize=32)
def _parsed(source: str) -> Statements | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    reader = _Reader()
    reader.read(tree)
    # At the end of nested lambdas the outermost one has the last word.
    starts = sorted(reader.starts, key=lambda start: (start[0], start[1], -start[2].scope.depth))
    return Statements(reader.scopes, starts)


class _Reader:
    """Goes through a tree, without recursion: expressions may be nested deeper than Python's stack."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.starts: list[tuple[int, int, Statement]] = []
        self._todo: list[tuple[ast.AST, Scope, Statement]] = []

    def read(self, tree: ast.Module) -> None:
        module = self._scope("<module>", 1, 0)
        self._later(tree.body, module, Statement(0, module))
        while self._todo:
            self._node(*self._todo.pop())

    def _node(self, node: ast.AST, scope: Scope, statement: Statement) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._definition(node, scope)
        elif isinstance(node, ast.Lambda):
            self._lambda(node, scope, statement)
        else:
            if (begins := _beginning(node)) is not None:
                statement = self._start(begins.lineno, begins.col_offset, scope, _iterable(node))
            self._later(ast.iter_child_nodes(node), scope, statement)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        first = node.decorator_list[0] if node.decorator_list else node
        statement = self._start(first.lineno, first.col_offset, scope)
        inner = self._scope(node.name, first.lineno, scope.depth + 1)
        body = set[ast.AST](node.body)
        self._later((child for child in ast.iter_child_nodes(node) if child not in body), scope, statement)
        self._later(node.body, inner, statement)

    def _lambda(self, node: ast.Lambda, scope: Scope, statement: Statement) -> None:
        inner = self._scope("<lambda>", node.lineno, scope.depth + 1)
        span = _span(node.body)
        own = self._start(span.line, span.column, inner)
        # What follows the lambda belongs to the statement around it again.
        self.starts.append((span.end_line, span.end_column, statement))
        self._later([node.args], scope, statement)
        self._later([node.body], inner, own)

    def _start(self, line: int, column: int, scope: Scope, iterable: Span | None = None) -> Statement:
        statement = Statement(line, scope, iterable)
        self.starts.append((line, column, statement))
        return statement

    def _scope(self, name: str, line: int, depth: int) -> Scope:
        self.scopes.append(Scope(name, line, depth))
        return self.scopes[-1]

    def _later(self, nodes: Iterable[ast.AST], scope: Scope, statement: Statement) -> None:
        self._todo.extend((node, scope, statement) for node in nodes)


def _beginning(node: ast.AST) -> ast.stmt | ast.ExceptHandler | ast.pattern | None:
    if isinstance(node, ast.match_case):
        return node.pattern
    if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value:
        return None
    if isinstance(node, ast.Try | ast.TryStar):
        return None
    return node if isinstance(node, ast.stmt | ast.ExceptHandler) else None


def _iterable(node: ast.AST) -> Span | None:
    return _span(node.iter) if isinstance(node, ast.For | ast.AsyncFor) else None


def _span(node: ast.expr) -> Span:
    return Span(node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0)
