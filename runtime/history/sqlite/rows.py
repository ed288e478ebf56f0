"""Runs and changes of state as rows, and back."""

import json
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any
from uuid import UUID

from runtime.exceptions import StoreError
from runtime.history.changes import StateChange
from runtime.runs import FlowRun, RunInput, TaskRun
from runtime.states import State, StateType

Row = tuple[Any, ...]

INSERT_FLOW_RUN = "INSERT OR IGNORE INTO flow_run VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# In rows of task runs and changes, 0 stands for NULL, and ids are bytearrays: for a value that is no int,
# float, str or bytearray, sqlite3 looks for an adapter. None, bool and bytes have none, and the search takes
# longer than to write them.
INSERT_TASK_RUN = """INSERT OR IGNORE INTO task_run
    VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?, nullif(?, 0), ?, ?)"""
_CHANGE_VALUES = "(?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?, ?, ?, nullif(?, 0))"
INSERT_CHANGE = f"INSERT INTO state_change VALUES {_CHANGE_VALUES}"  # noqa: S608 - ours
#: changes in one statement: a table with triggers makes it dear to begin and to end one
_AT_ONCE = 50
_INSERT_CHANGES = f"INSERT INTO state_change VALUES {', '.join([_CHANGE_VALUES] * _AT_ONCE)}"  # noqa: S608 - ours
INSERT_LOG_LINE = "INSERT INTO log_line VALUES (NULL, ?, ?, ?, ?, ?)"

#: of ``flow_run f``, in the order that :func:`flow_run` reads
FLOW_RUN_COLUMNS = """f.id, f.parent, f.name, f.flow_name, f.n, f.flow_version, f.entry_point, f.parameters,
    f.code_hash, f.created, f.tags"""
FLOW_RUN_WIDTH = 11
#: what Enum's own ``value`` computes at each look
_TYPES = {kind: kind.value for kind in StateType}
_TASK_RUN = "SELECT id, flow_run, parent, task_name, task_key, n, title, tags, inputs FROM task_run"
_CHANGE = """SELECT position, run, type, name, message, at, elapsed, attempt, run_count, worker
    FROM state_change"""


def flow_run_row(run: FlowRun, root: int | None) -> Row:
    """What :data:`INSERT_FLOW_RUN` takes."""
    parent = run.parent_id.bytes if run.parent_id is not None else None
    return (
        run.id.bytes,
        root,
        parent,
        _text(run.name),
        _text(run.flow_name),
        run.n,
        _text(run.flow_version),
        _text(run.entry_point),
        _text(run.parameters),
        run.code_hash,
        run.created,
        json.dumps(run.tags),
    )


def task_run_row(run: TaskRun, root: int) -> Row:
    """What :data:`INSERT_TASK_RUN` takes."""
    flow_run_id = run.flow_run_id
    assert flow_run_id is not None, "a task outside of any flow has no history"
    inputs = [(item.kind, item.parameter, str(item.task_run)) for item in run.inputs]
    return (
        root,
        bytearray(run.id.bytes),
        bytearray(flow_run_id.bytes),
        0 if run.parent is None else bytearray(run.parent.id.bytes),
        _text(run.task_name),
        run.task_key,
        run.n,
        0 if run.title is None else _text(run.title),
        json.dumps(run.tags) if run.tags else "[]",
        json.dumps(inputs) if inputs else "[]",
    )


def change_row(change: StateChange, root: int) -> Row:
    """What :data:`INSERT_CHANGE` takes."""
    run, state = change.run, change.state
    return (
        root,
        change.index,
        bytearray(run.id.bytes),
        1 if type(run) is FlowRun else 0,
        1 if state.is_settled() else 0,
        _TYPES[state.type],
        _text(state.name),
        0 if state.message is None else _text(state.message),
        change.at,
        change.elapsed,
        change.attempt,
        change.run_count,
        0 if change.worker is None else _text(change.worker),
    )


def insert_changes(connection: sqlite3.Connection, changes: Sequence[Row]) -> None:
    """Write rows of :func:`change_row`, in order."""
    whole = len(changes) - len(changes) % _AT_ONCE
    several = [chain.from_iterable(changes[n : n + _AT_ONCE]) for n in range(0, whole, _AT_ONCE)]
    connection.executemany(_INSERT_CHANGES, map(tuple, several))
    connection.executemany(INSERT_CHANGE, changes[whole:])


def log_row(root: int, run_id: UUID, at: float, level: int, message: str) -> Row:
    """What :data:`INSERT_LOG_LINE` takes."""
    return root, run_id.bytes, at, level, _text(message)


def begins(change: StateChange) -> bool:
    """Whether a task run may be unknown before this change."""
    return change.attempt == 0 and not change.state.is_final()


@contextmanager
def whole() -> Generator[None]:
    """What rows must be to be read. Raises ``StoreError`` where they are not."""
    try:
        yield
    except StoreError:  # which is a ValueError, too
        raise
    except (LookupError, TypeError, ValueError, AssertionError, AttributeError) as error:
        raise StoreError(f"It is damaged: its rows do not belong together ({error!r}).") from error


def flow_runs(connection: sqlite3.Connection, condition: str, *values: object) -> list[FlowRun]:
    """The flow runs for which a condition holds, oldest first."""
    rows = connection.execute(
        f"SELECT {FLOW_RUN_COLUMNS} FROM flow_run f WHERE {condition} ORDER BY number",  # noqa: S608 - ours
        values,
    )
    with whole():
        return [flow_run(row) for row in rows]


def tree(connection: sqlite3.Connection, root: int) -> tuple[list[FlowRun], list[StateChange]]:
    """The flow runs of the tree that an outermost flow run is the root of, itself first, and all changes."""
    members = flow_runs(connection, "number = ? OR root = ?", root, root)
    with whole():
        runs: dict[bytes, FlowRun | TaskRun] = {run.id.bytes: run for run in members}
        runs.update(_task_runs(connection.execute(f"{_TASK_RUN} WHERE root = ?", (root,)).fetchall()))
        changes = connection.execute(f"{_CHANGE} WHERE root = ? ORDER BY position", (root,))
        return members, [_change(row, runs) for row in changes]


def flow_run(row: Row) -> FlowRun:
    """The flow run that a row of :data:`FLOW_RUN_COLUMNS` describes."""
    run_id, parent, name, flow_name, n, version, entry, parameters, code, created, tags = row
    return FlowRun(
        id=UUID(bytes=run_id),
        name=read(name),
        flow_name=read(flow_name),
        n=n,
        flow_version=read(version),
        parent_id=UUID(bytes=parent) if parent is not None else None,
        entry_point=read(entry),
        parameters=read(parameters),
        code_hash=code,
        created=created,
        tags=tuple(json.loads(tags)),
    )


def _task_runs(rows: Iterable[Row]) -> dict[bytes, TaskRun]:
    """The task runs by id. A submitter may come after what it submitted."""
    left = {row[0]: row for row in rows}
    runs: dict[bytes, TaskRun] = {}
    while left:
        line = [next(iter(left))]
        while (parent := left[line[-1]][2]) is not None and parent in left:
            line.append(parent)
        for run_id in reversed(line):
            runs[run_id] = _task_run(left.pop(run_id), runs)
    return runs


def _task_run(row: Row, known: dict[bytes, TaskRun]) -> TaskRun:
    run_id, flow_run_id, parent, task_name, task_key, n, title, tags, inputs = row
    return TaskRun(
        UUID(bytes=run_id),
        read(task_name),
        task_key,
        n,
        UUID(bytes=flow_run_id),
        known[parent] if parent is not None else None,
        read(title),
        tuple(json.loads(tags)) if tags != "[]" else (),
        tuple(RunInput(kind, name, UUID(run)) for kind, name, run in json.loads(inputs))
        if inputs != "[]"
        else (),
    )


def _change(row: Row, runs: dict[bytes, FlowRun | TaskRun]) -> StateChange:
    position, run, kind, name, message, at, elapsed, attempt, run_count, worker = row
    state = State(StateType(kind), read(name), read(message), None, at)
    return StateChange(runs[run], position, state, at, elapsed, attempt, run_count, read(worker))


def _text(text: str | None) -> str | bytes | None:
    """Text as SQLite takes it: half a surrogate pair, as file names may have, only goes in as bytes."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def read(text: Any) -> Any:
    """Text as it was before it went in."""
    return text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
