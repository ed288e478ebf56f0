"""Which flow runs a store holds, and how each stands: what lists are made of."""

import sqlite3
from dataclasses import dataclass
from uuid import UUID

from runtime.history.sqlite import rows
from runtime.runs import FlowRun
from runtime.states import State, StateType


@dataclass(frozen=True, slots=True)
class FlowRunSummary:
    """An outermost flow run and the latest that is known of it."""

    flow_run: FlowRun
    #: None for a run that ended before its first state was written
    state: State | None
    run_count: int
    #: seconds from its beginning to that state
    elapsed: float


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One line of a log, as it was kept."""

    number: int
    run_id: UUID
    #: seconds since the epoch
    at: float
    level: int
    message: str


@dataclass(frozen=True, slots=True)
class EnteredState:
    """A change of state, in short."""

    position: int
    #: seconds since the outermost flow run began
    elapsed: float
    #: of the flow or the task, with its number
    run_name: str
    state: str
    message: str | None
    #: whether it is the end of the outermost flow run
    is_end: bool


def summaries(
    connection: sqlite3.Connection,
    *,
    flow_name: str | None = None,
    state: str | None = None,
    search: str | None = None,
    since: float = 0.0,
    before: UUID | None = None,
    limit: int = -1,
) -> list[FlowRunSummary]:
    """The outermost flow runs, newest first.

    ``state`` is the name or the type of the latest state, in any case; ``search`` is some of the name, the
    flow's name or the tags, or the beginning of the id; ``since`` a moment in seconds since the epoch,
    before which none of them was created; ``before`` the run after which the list is to go on; a ``limit``
    of -1 is none.
    """
    found = connection.execute(
        f"""{_SUMMARIES} WHERE f.root IS NULL AND f.created >= :since
            AND (:flow IS NULL OR f.flow_name = :flow)
            AND (:state IS NULL OR upper(s.name) = :state OR s.type = :state)
            AND (:search IS NULL OR instr(lower(f.name || ' ' || f.flow_name || ' ' || f.tags), :search)
                OR instr(lower(hex(f.id)), replace(:search, '-', '')) = 1)
            AND (:before IS NULL OR f.number < (SELECT number FROM flow_run WHERE id = :before))
        ORDER BY f.number DESC LIMIT :limit""",  # noqa: S608 - the columns are ours
        {
            "since": since,
            "flow": flow_name,
            "state": state and state.upper(),
            "search": search and search.lower(),
            "before": before and before.bytes,
            "limit": limit,
        },
    )
    with rows.whole():
        return [_summary(row) for row in found]


def summary(connection: sqlite3.Connection, flow_run_id: UUID) -> FlowRunSummary:
    """How one outermost flow run stands. Raises ``KeyError``."""
    row = connection.execute(
        f"{_SUMMARIES} WHERE f.id = ? AND f.root IS NULL", (flow_run_id.bytes,)
    ).fetchone()
    if row is None:
        raise KeyError(flow_run_id)
    return _summary(row)


def named(connection: sqlite3.Connection, text: str) -> list[FlowRun]:
    """The outermost flow runs that ``text`` may mean: by name, or by the beginning of the id."""
    digits = text.replace("-", "").lower()
    is_id = len(digits) >= 4 and not set(digits) - set("0123456789abcdef")
    return rows.flow_runs(
        connection,
        "root IS NULL AND (name = ? OR (? AND lower(hex(id)) GLOB ?))",
        text,
        is_id,
        f"{digits}*",
    )


def log_lines(
    connection: sqlite3.Connection, flow_run_id: UUID, after: int, limit: int = -1
) -> list[StoredLine]:
    """The log of an outermost flow run after the line that is numbered so; a ``limit`` of -1 is none."""
    found = connection.execute(
        """SELECT number, run, at, level, message FROM log_line
        WHERE root = (SELECT number FROM flow_run WHERE id = ?) AND number > ? ORDER BY number LIMIT ?""",
        (flow_run_id.bytes, after, limit),
    )
    with rows.whole():
        return [
            StoredLine(number, UUID(bytes=run), at, level, rows.read(message))
            for number, run, at, level, message in found
        ]


def states_since(connection: sqlite3.Connection, flow_run_id: UUID, position: int) -> list[EnteredState]:
    """The changes of an outermost flow run from ``position`` on."""
    found = connection.execute(
        """SELECT s.position, s.elapsed, coalesce(f.flow_name, t.title, t.task_name),
            CASE WHEN t.title IS NULL THEN coalesce(f.n, t.n) END, s.name, s.message,
            s.settled = 1 AND s.run = :id
        FROM state_change s
        LEFT JOIN flow_run f ON f.id = s.run AND s.is_flow = 1
        LEFT JOIN task_run t ON t.root = s.root AND t.id = s.run
        WHERE s.root = (SELECT number FROM flow_run WHERE id = :id) AND s.position >= :position
        ORDER BY s.position""",
        {"id": flow_run_id.bytes, "position": position},
    )
    return [
        EnteredState(
            place,
            elapsed,
            rows.read(name) if n is None else f"{rows.read(name)}-{n}",
            rows.read(state),
            rows.read(message),
            bool(is_end),
        )
        for place, elapsed, name, n, state, message, is_end in found
    ]


def _summary(row: rows.Row) -> FlowRunSummary:
    run, latest = row[: rows.FLOW_RUN_WIDTH], row[rows.FLOW_RUN_WIDTH :]
    kind, name, message, at, run_count, elapsed = latest
    state = None if kind is None else State(StateType(kind), rows.read(name), rows.read(message), None, at)
    return FlowRunSummary(rows.flow_run(run), state, run_count or 1, elapsed or 0.0)


_SUMMARIES = f"""SELECT {rows.FLOW_RUN_COLUMNS}, s.type, s.name, s.message, s.at, s.run_count, s.elapsed
    FROM flow_run f LEFT JOIN state_change s ON s.root = f.number AND s.position = (
        SELECT max(position) FROM state_change WHERE root = f.number AND run = f.id AND is_flow = 1)"""  # noqa: S608 - the columns are ours
