"""A history in parts, each what came after the last: how a run is read while it goes on.

Rows stay rows here. A history of 100,000 task runs is drawn before it could be made of objects.
"""

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from runtime.history.sqlite import rows


class BegunRun(NamedTuple):
    """A task run or subflow run that begins in this part; ids are hex digits."""

    id: str
    #: the flow run that it is a run of; of a subflow run, the flow run that called it
    flow_run: str
    #: the task run that submitted it; "" where that was the flow itself
    parent: str
    #: of the task, or of the subflow
    name: str
    n: int
    title: str | None
    #: JSON: kind, parameter and id of each task run upstream
    inputs: str
    is_flow: int


class ChangeRow(NamedTuple):
    """A change of state, as far as a timeline needs it."""

    position: int
    run: str
    type: str
    name: str
    elapsed: float
    attempt: int
    run_count: int
    worker: str | None


class FullChange(NamedTuple):
    """A change of state with all that is known of it."""

    position: int
    type: str
    name: str
    message: str | None
    at: float
    elapsed: float
    attempt: int
    run_count: int
    worker: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """Changes of an outermost flow run and all in it, in order, and the runs that begin with them."""

    begun: list[BegunRun]
    changes: list[ChangeRow]


def part(connection: sqlite3.Connection, flow_run_id: UUID, start: int, limit: int) -> Part:
    """At most ``limit`` changes, from the one numbered ``start``. Raises ``KeyError``."""
    of_part = (_root(connection, flow_run_id), start, start + limit)
    begun = [
        *connection.execute(_BEGUN_TASK_RUNS, of_part),
        *connection.execute(_BEGUN_FLOW_RUNS, of_part),
    ]
    changes = connection.execute(_CHANGES, of_part)
    return Part(
        [
            BegunRun(run, flow_run, parent, rows.read(name), n, rows.read(title), inputs, is_flow)
            for run, flow_run, parent, name, n, title, inputs, is_flow in begun
        ],
        [
            ChangeRow(position, run, kind, rows.read(name), elapsed, attempt, run_count, rows.read(worker))
            for position, run, kind, name, elapsed, attempt, run_count, worker in changes
        ],
    )


def changes_of(connection: sqlite3.Connection, flow_run_id: UUID, run_id: UUID) -> list[FullChange]:
    """All changes of one run in the history of an outermost flow run. Raises ``KeyError``."""
    found = connection.execute(_CHANGES_OF_RUN, (_root(connection, flow_run_id), run_id.bytes))
    return [
        FullChange(
            position,
            kind,
            rows.read(name),
            rows.read(message),
            at,
            elapsed,
            attempt,
            run_count,
            rows.read(worker),
        )
        for position, kind, name, message, at, elapsed, attempt, run_count, worker in found
    ]


def reached(connection: sqlite3.Connection, flow_run_id: UUID) -> tuple[int, int]:
    """How far the history and the log of an outermost flow run have come. Raises ``KeyError``."""
    root = _root(connection, flow_run_id)
    found: tuple[int, int] = connection.execute(
        """SELECT (SELECT coalesce(max(position), -1) + 1 FROM state_change WHERE root = :root),
            (SELECT coalesce(max(number), 0) FROM log_line WHERE root = :root)""",
        {"root": root},
    ).fetchone()
    return found


def _root(connection: sqlite3.Connection, flow_run_id: UUID) -> int:
    found = connection.execute(
        "SELECT number FROM flow_run WHERE id = ? AND root IS NULL", (flow_run_id.bytes,)
    ).fetchone()
    if found is None:
        raise KeyError(flow_run_id)
    number: int = found[0]
    return number


_CHANGES = """SELECT position, lower(hex(run)), type, name, elapsed, attempt, run_count, worker
    FROM state_change c WHERE c.root = ? AND c.position >= ? AND c.position < ? ORDER BY position"""
_BEGUN_TASK_RUNS = """SELECT lower(hex(t.id)), lower(hex(t.flow_run)), lower(hex(t.parent)), t.task_name,
        t.n, t.title, t.inputs, 0
    FROM state_change c JOIN task_run t ON t.root = c.root AND t.id = c.run
    WHERE c.root = ? AND c.position >= ? AND c.position < ? AND c.is_flow = 0
        AND c.attempt = 0 ORDER BY c.position"""
_BEGUN_FLOW_RUNS = """SELECT lower(hex(f.id)), lower(hex(f.parent)), '', f.flow_name, f.n,
        f.name, '[]', 1
    FROM state_change c JOIN flow_run f ON f.id = c.run
    WHERE c.root = ? AND c.position >= ? AND c.position < ? AND c.is_flow = 1
        AND f.root IS NOT NULL AND c.attempt = 0 ORDER BY c.position"""
_CHANGES_OF_RUN = """SELECT position, type, name, message, at, elapsed, attempt, run_count, worker
    FROM state_change WHERE root = ? AND run = ? ORDER BY position"""
