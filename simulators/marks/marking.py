"""Marks in running code: functions get marked code objects for a while, and then their own ones back.

Functions are found by asking the garbage collector, which knows them all: methods, closures, what decorators
wrap, lambdas in tables. A walk through modules would miss those that only an object or a frame holds.
"""

import gc
import sys
from collections.abc import Callable, Container, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from threading import Lock
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType, ModuleType
from typing import Any, TypeAlias, cast

from simulators.exceptions import SimulatorError
from simulators.marks.accesses import Access, AccessMarks
from simulators.marks.calls import Call, CallMarks
from simulators.marks.imports import Imports, imports_noticed
from simulators.marks.insertion import Kind, Listener, connect, insert, original
from simulators.marks.statements import Place, StatementMarks

_Suspended: TypeAlias = (
    "GeneratorType[Any, Any, Any] | CoroutineType[Any, Any, Any] | AsyncGeneratorType[Any, Any]"
)
#: What keeps code, to run it.
_Holder: TypeAlias = "FunctionType | _Suspended"
_HOLDERS = {FunctionType, GeneratorType, CoroutineType, AsyncGeneratorType}
_STATEMENTS = StatementMarks()
_ACCESSES = AccessMarks()
_CALLS = CallMarks()
_COMPILED = tuple(EXTENSION_SUFFIXES)
_UNDER_WAY = "was under way when the marks were put in"
#: Functions belong to the process, so one marking at a time has them.
_only = Lock()


@dataclass(frozen=True, slots=True)
class Unmarked:
    """Code that was selected and has no marks."""

    name: str
    file: str
    #: 0 for a whole file
    line: int
    reason: str

    @property
    def may_run(self) -> bool:
        """Whether it may run without marks. What is under way, such as a fixture, waits for the end."""
        return self.reason != _UNDER_WAY

    def __str__(self) -> str:
        return f"{self.name} ({self.file}:{self.line}): {self.reason}"


class Marking:
    """What is marked now."""

    def __init__(self, files: Container[str], listeners: Mapping[Kind, Listener], imports: Imports) -> None:
        #: the modules that were looked for since the last update
        self.imported = imports.names
        self._files = files
        self._selected = _Selection(files)
        self._listeners = listeners
        #: functions that hear the marks, and would hear themselves for ever
        self._hearing = [getattr(listener, "__func__", listener) for listener in listeners.values()]
        self._connected: dict[int, tuple[CodeType, CodeType]] = {}
        self._functions: list[tuple[FunctionType, CodeType]] = []
        self._unmarked: set[Unmarked] = set()
        self._modules = 0

    @property
    def functions(self) -> int:
        """How many functions have got marks."""
        return len(self._functions)

    @property
    def files(self) -> list[str]:
        """The files of functions that have got marks."""
        return sorted({code.co_filename for _, code in self._functions})

    @property
    def unmarked(self) -> list[Unmarked]:
        """What was selected and has no marks, in the order of the source."""
        return sorted(self._unmarked, key=lambda code: (code.file, code.line, code.name))

    def update(self) -> None:
        """Mark what was imported since; costs nothing where nothing was."""
        found = any(name in sys.modules for name in self.imported)
        self.imported.clear()
        if not found and len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        for name, module in list(sys.modules.items()):
            self._consider_module(name, module)
        # File by file, since a file's source is read and parsed once as long as nobody asks for many others.
        for holder, code in sorted(self._selected_code(), key=lambda found: found[1].co_filename):
            if original(code) is not code:
                continue  # made by marked code, or marked before
            if not isinstance(holder, FunctionType):
                self._leave(code, _UNDER_WAY)
            elif holder not in self._hearing:
                self._mark(holder, code)

    def remove(self) -> None:
        """Give all functions their own code back, also those that marked code has made.

        Functions that came too late for marks, by ways that nobody noticed, are ``unmarked`` then.
        """
        given_back = {id(code) for _, code in self._functions}
        for function, code in self._functions:
            # Somebody else may have given it another code object since; that one stays.
            if function.__code__ is self._with_marks(code):
                function.__code__ = code
        for holder, code in self._selected_code():
            if not isinstance(holder, FunctionType) or holder in self._hearing:
                continue
            if original(code) is not code:
                holder.__code__ = original(code)
            elif self._with_marks(code) is not code and id(code) not in given_back:
                self._leave(code, "came while marks were in, and was not seen")
        # Marked code knows the listener, and the listener may know this marking: do not keep a circle.
        self._functions.clear()
        self._connected.clear()

    def _selected_code(self) -> Iterator[tuple[_Holder, CodeType]]:
        """All functions, generators and coroutines that there are in the files, with their code."""
        # Not isinstance, which would ask proxies what they stand for.
        things = cast("list[_Holder]", [thing for thing in gc.get_objects() if type(thing) in _HOLDERS])
        for thing in things:
            code = thing.__code__ if type(thing) is FunctionType else _code_of(thing)
            if code is not None and self._selected[code.co_filename]:
                yield thing, code

    def _mark(self, function: FunctionType, code: CodeType) -> None:
        marked = self._with_marks(code)
        if marked is not code:
            function.__code__ = marked
            self._functions.append((function, code))

    def _with_marks(self, code: CodeType) -> CodeType:
        if id(code) not in self._connected:
            try:
                marked = connect(_template(code, code.co_filename, tuple(self._listeners)), self._listeners)
            except Exception as error:
                # Code that cannot be taken apart runs as it is.
                self._leave(code, f"{type(error).__name__}: {error}")
                marked = code
            self._connected[id(code)] = code, marked
        return self._connected[id(code)][1]

    def _leave(self, code: CodeType, reason: str) -> None:
        unmarked = Unmarked(code.co_qualname, code.co_filename, code.co_firstlineno, reason)
        self._unmarked.add(unmarked)

    def _consider_module(self, name: str, module: object) -> None:
        # Straight from its dictionary: a lazy module would load itself.
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if isinstance(file, str) and file.endswith(_COMPILED) and file in self._files:
            self._unmarked.add(Unmarked(name, file, 0, "is compiled, not Python"))


class _Selection(dict[str, bool]):
    """Whether a file is selected, asked once for each: there are thousands of functions."""

    def __init__(self, files: Container[str]) -> None:
        super().__init__()
        self._files = files

    def __missing__(self, file: str) -> bool:
        selected = self[file] = file in self._files
        return selected


@contextmanager
def marked(
    files: Container[str],
    on_statement: Callable[[Place], object] | None,
    on_access: Callable[[Any, Any, Access], object] | None = None,
    on_call: Callable[[Call, Any, Any], object] | None = None,
) -> Generator[Marking]:
    """Marks in the functions of these files: ``on_statement(place)`` is called before each statement.

    With ``on_access``, ``on_access(thing, key, access)`` is called before each access to what others may see,
    with ``on_call``, ``on_call(call, first, second)`` before calls by names that stand for one.

    Listeners are called by the code itself, in its thread and greenlet. What they raise, the statement
    raises. They are also called in threads that nobody simulates, and afterwards by generators that are
    still suspended when the marks are taken out: they must know whom to leave alone. What they call must not
    be marked.

    Code that runs when the marks are put in goes on without them. Raises ``SimulatorError`` if there are
    marks already.
    """
    if not _only.acquire(blocking=False):
        raise SimulatorError("Code is marked already, and one exploration at a time can have it")
    with ExitStack() as around:
        around.callback(_only.release)
        listeners: dict[Kind, Listener] = {}
        if on_statement is not None:
            listeners[_STATEMENTS] = around.enter_context(_known_as("heard_statement", on_statement))
        if on_access is not None:
            listeners[_ACCESSES] = around.enter_context(_known_as("heard_access", on_access))
        if on_call is not None:
            listeners[_CALLS] = around.enter_context(_known_as("heard_call", on_call))
        marking = Marking(files, listeners, around.enter_context(imports_noticed()))
        around.callback(gc.unfreeze)
        around.callback(marking.remove)
        gc.unfreeze()  # what is frozen cannot be found
        marking.update()
        gc.freeze()  # so the search for functions that marked code has made goes through new things only
        around.callback(_thaw_if_frozen, [])
        yield marking


def _thaw_if_frozen(witness: list[object]) -> None:
    if not any(
        thing is witness for thing in gc.get_objects()
    ):  # somebody froze it, and what marked code made
        gc.unfreeze()


def heard_statement(place: Place) -> object:
    """What marks before statements call as long as nobody listens."""


def heard_access(thing: object, key: object, access: Access) -> object:
    """What marks before accesses call as long as nobody listens."""


def heard_call(call: Call, first: object, second: object) -> object:
    """What marks before calls call as long as nobody listens."""


@contextmanager
def _known_as(name: str, listener: Listener) -> Generator[Listener]:
    """The listener in the place of one of the functions above.

    Who pickles a function by value pickles the constants of its code too. Under this name the listener stays
    where it is, and marks that were carried into another process call nobody.
    """
    nobody = globals()[name]
    globals()[name] = _renamed(listener, name) if isinstance(listener, FunctionType) else listener
    try:
        yield globals()[name]
    finally:
        globals()[name] = nobody


def _renamed(listener: FunctionType, name: str) -> FunctionType:
    parts = listener.__code__, listener.__globals__, name, listener.__defaults__, listener.__closure__
    copied = FunctionType(*parts)
    copied.__kwdefaults__ = listener.__kwdefaults__
    copied.__module__, copied.__qualname__ = __name__, name
    return copied


@lru_cache(maxsize=16_384)
def _template(code: CodeType, file: str, kinds: tuple[Kind, ...]) -> CodeType:
    del file  # code objects of different files may be equal
    return insert(code, kinds)


def _code_of(holder: _Holder) -> CodeType | None:
    """Its code; None where that has ended."""
    if isinstance(holder, FunctionType):
        return holder.__code__
    if isinstance(holder, GeneratorType):
        return holder.gi_code if holder.gi_frame else None
    if isinstance(holder, CoroutineType):
        return holder.cr_code if holder.cr_frame else None
    return holder.ag_code if holder.ag_frame else None
