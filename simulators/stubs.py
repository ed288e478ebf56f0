"""Stubs: a task run that was recorded is given what came of it then, and its function is not called.

What it returned is the result that was stored of it. That is looked up as for a flow run that is resumed: by
task, number, code and inputs. What it raised is made of the traceback in its log. An attempt of which no end
is recorded is lost again, when all that was recorded is over.
"""

import asyncio
import builtins
import functools
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, cast
from uuid import UUID

from runtime.caching import result_key
from runtime.context import TASK_RUN, Stub, TaskRunContext
from runtime.exceptions import CrashedRun, FailedRun
from runtime.history import FlowRunHistory, StateChange
from runtime.results import MemoryResultStorage, ResultStorage, StoredResult, current_result_storage
from runtime.runs import TaskCall, TaskDefinition, TaskRun
from runtime.states import State, StateType
from simulators.exceptions import LostAgain, NothingRecorded
from simulators.timelines import was_lost, was_timed_out


class LogLine(Protocol):
    """A line of a log, as ``store.log_lines(...)`` gives it."""

    @property
    def run_id(self) -> UUID:
        """Whose it is."""
        ...

    @property
    def at(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def message(self) -> str:
        """What it says."""
        ...


class RecordedStubs:
    """What came of the task runs of a recorded flow run, to be given in place of calling them.

    Results come from the storage that is in force here. Exceptions come from the ``log`` of the run; without
    it they are ``FailedRun``. Tasks whose names fit a pattern in ``real`` are called. A task run of which
    nothing is known fails with ``NothingRecorded``.
    """

    def __init__(
        self, history: FlowRunHistory, log: Iterable[LogLine] = (), real: Iterable[str] = ()
    ) -> None:
        self._history = history
        #: results as simulated runs find them
        self.storage = _StoredThen(current_result_storage())
        self._real = tuple(real)
        self._tracebacks = {
            (line.run_id, line.at): line.message for line in log if _TRACEBACK in line.message
        }
        self._runs = {
            (history.path(run), run.task_key): _Recorded(
                run, _ends(history, run), was_cached=history[run.id].names[-1] == "Cached"
            )
            for run in history.task_runs
        }
        changes = list(history)
        self._over = (changes[-1].elapsed if changes else 0.0) + 1.0
        #: whether the end of a run that crashed was the end of its process, and not its own
        self._lost = was_lost(history)
        #: short names of task runs that were given what was recorded
        self.stubbed: dict[str, None] = {}
        #: short names of task runs whose functions were called
        self.called: dict[str, None] = {}
        #: task runs that completed and whose results are not in the storage, by short name, and their tasks
        self.missing: dict[str, str] = {}
        #: short names of task runs, or of attempts, that there were not
        self.unknown: dict[str, None] = {}

    def stub(self, path_of: Callable[[TaskRun], str], now: Callable[[], float]) -> Stub:
        """What is called in place of tasks in a simulation that names runs and tells the time like this."""

        def stub(call: TaskCall, run: TaskRun) -> TaskCall:
            path, definition = path_of(run), call.definition
            recorded = self._runs.get((path, definition.key))
            if recorded is not None and recorded.was_cached:
                self.storage.cached.add(run.id)
            if any(fnmatchcase(definition.name, pattern) for pattern in self._real):
                self.called[path] = None
                return call
            given = functools.partial(self._given, path, definition)
            made = _awaited if definition.is_async else _called
            function = functools.wraps(definition.function)(made(given, lambda: self._over - now()))
            return TaskCall(
                replace(definition, function=function), call.args, call.kwargs, call.has_references
            )

        return stub

    def __repr__(self) -> str:
        """As it is written, in short."""
        real = f", real={list(self._real)}" if self._real else ""
        return f"RecordedStubs(<history of {self._history.flow_run.name}>, <its log>{real})"

    def _given(self, path: str, definition: TaskDefinition) -> object:
        """The result of the present attempt; raises what it raised.

        ``_NO_END`` where it did not end by itself.
        """
        context = cast("TaskRunContext", TASK_RUN.get())
        recorded = self._runs.get((path, definition.key))
        number = context.run_count, context.attempt
        if recorded is None or number not in recorded.ends:
            what = f"attempt {context.attempt} of {path}" if context.attempt > 1 else path
            self.unknown[what] = None
            raise NothingRecorded(f"There was no {what} then, so nothing can stand in for it.")
        end = recorded.ends[number]
        if end is not None and end.state.is_completed():
            return self._result(path, definition, recorded.run, context.parameters)
        self.stubbed[path] = None
        return self._other_end(recorded.run, end)

    def _result(
        self, path: str, definition: TaskDefinition, run: TaskRun, parameters: dict[str, Any]
    ) -> object:
        key = result_key(run, parameters, definition.code_hash)
        found = self.storage.stored.read(key) if key is not None else None
        if found is None:
            self.missing[path] = definition.name
            raise NothingRecorded(f"There is no stored result of {path} with this code and these inputs.")
        self.stubbed[path] = None
        return found.value

    def _other_end(self, run: TaskRun, end: StateChange | None) -> object:
        state = end.state if end is not None else None
        if end is None or state is None or state.is_cancelling() or was_timed_out(state):
            return _NO_END
        if state.is_crashed():
            if self._lost:
                return _NO_END
            raise CrashedRun(state.message or "Execution was lost.")
        if state.type is StateType.SCHEDULED and state.message is not None:
            raise LostAgain(state.message)
        if state.is_failed() and state.message != _RAISED:
            return State(state.type, state.name, state.message)
        raise _raised(self._tracebacks.get((run.id, end.at)))


class _Recorded(NamedTuple):
    """A task run that was recorded."""

    run: TaskRun
    #: what came after each attempt, by run count and number; None where nobody heard of its end
    ends: Mapping[tuple[int, int], StateChange | None]
    #: whether a result that was there already was used
    was_cached: bool


class _StoredThen(MemoryResultStorage):
    """Finds a result for a task run that found one then, and for no other."""

    def __init__(self, stored: ResultStorage) -> None:
        super().__init__()
        self.stored = stored
        #: the task runs that are to find one
        self.cached: set[UUID] = set()

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``, or was stored."""
        context = TASK_RUN.get()
        found = super().read(key)
        if found is None and context is not None and context.task_run.id in self.cached:
            found = self.stored.read(key)
        return found


def _ends(history: FlowRunHistory, run: TaskRun) -> dict[tuple[int, int], StateChange | None]:
    changes = [*history[run.id], None]
    return {
        (change.run_count, change.attempt): after
        for change, after in pairwise(changes)
        if change is not None and change.state.is_running()
    }


def _called(given: Callable[[], object], left: Callable[[], float]) -> Callable[..., Any]:
    def stub(*_: Any, **__: Any) -> Any:
        value = given()
        if value is _NO_END:
            time.sleep(max(0.0, left()))
            raise CrashedRun(_LEFT)
        return value

    return stub


def _awaited(given: Callable[[], object], left: Callable[[], float]) -> Callable[..., Any]:
    async def stub(*_: Any, **__: Any) -> Any:
        value = given()
        if value is _NO_END:
            await asyncio.sleep(max(0.0, left()))
            raise CrashedRun(_LEFT)
        return value

    return stub


def _raised(logged: str | None) -> Exception:
    """The exception that a traceback ends with, of its own class where a text is all that this takes."""
    if logged is None:
        return FailedRun("What it failed of was not recorded: its log is not there.")
    lines = _CHAINED.split(logged)[-1].splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    after = frames[-1] + 1 if frames else 0
    text = "\n".join(
        lines[next((n for n in range(after, len(lines)) if not lines[n].startswith(" ")), after) :]
    )
    name, _, message = text.partition(": ")
    kind = _class_called(name) if _NAME.fullmatch(name) else None
    if kind is None:
        return FailedRun(text)
    try:
        return kind(message) if message else kind()
    except Exception:  # it takes something else, or raises anything
        return FailedRun(text)


def _class_called(name: str) -> type[Exception] | None:
    """The class of that name, if its module is loaded: a log makes nobody import anything."""
    module, _, kind = name.rpartition(".")
    found = getattr(sys.modules.get(module) if module else builtins, kind, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


_NO_END = object()
_NAME = re.compile(r"[\w.]+")
#: what stands between an exception and the one that came of it
_CHAINED = re.compile(r"\n\n(?:The above exception was the direct|During handling of the above) .*:\n\n")
_TRACEBACK = "Traceback (most recent call last):"
_LEFT = "Nothing is recorded of its end."
#: what is said of a run whose function raised
_RAISED = "Task run encountered an exception."
