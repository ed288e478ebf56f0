"""What is done to a store from outside of flow runs: asking for an end, taking in histories, forgetting."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from runtime.exceptions import StoreError
from runtime.history.records import FlowRunHistory
from runtime.history.sqlite import rows
from runtime.runs import FlowRun


def ask_to_cancel(connection: sqlite3.Connection, flow_run_id: UUID) -> bool:
    """Ask the process of an outermost flow run to cancel it. False where it is not under way."""
    asked = connection.execute(
        "UPDATE under_way SET to_cancel = 1 WHERE root = (SELECT number FROM flow_run WHERE id = ?)",
        (flow_run_id.bytes,),
    )
    return asked.rowcount > 0


def take_in(connection: sqlite3.Connection, history: FlowRunHistory) -> None:
    """Keep the history of an outermost flow run from elsewhere. Raises ``StoreError`` for a known one."""
    outermost = history.flow_run
    if outermost.parent_id is not None:
        raise StoreError(f"'{outermost.name}' is a subflow run: take in the flow run around it.")
    with _writing(connection):
        if connection.execute("SELECT 1 FROM flow_run WHERE id = ?", (outermost.id.bytes,)).fetchone():
            raise StoreError(f"Flow run '{outermost.name}' ({outermost.id}) is there already.")
        row = rows.flow_run_row(outermost, None)
        (root,) = connection.execute(f"{rows.INSERT_FLOW_RUN} RETURNING number", row).fetchone()
        connection.executemany(
            rows.INSERT_FLOW_RUN, [rows.flow_run_row(run, root) for run in history.subflow_runs]
        )
        connection.executemany(
            rows.INSERT_TASK_RUN, [rows.task_run_row(run, root) for run in history.task_runs]
        )
        rows.insert_changes(connection, [rows.change_row(change, root) for change in history])


def forget(connection: sqlite3.Connection, before: float) -> list[FlowRun]:
    """Forget the outermost flow runs that were created before a moment and are not under way.

    Returns them and their subflow runs.
    """
    old = "root IS NULL AND created < ? AND number NOT IN (SELECT root FROM under_way)"
    forgotten: list[FlowRun] = []
    while True:
        with _writing(connection):  # a few at a time: others want to write, too
            few = connection.execute(
                f"SELECT number FROM flow_run WHERE {old} ORDER BY number LIMIT 100",  # noqa: S608 - ours
                (before,),
            ).fetchall()
            for (number,) in few:
                forgotten += rows.flow_runs(connection, "number = ? OR root = ?", number, number)
                connection.execute("DELETE FROM flow_run WHERE number = ? OR root = ?", (number, number))
                for table in ("state_change", "task_run", "log_line"):
                    connection.execute(f"DELETE FROM {table} WHERE root = ?", (number,))  # noqa: S608 - ours
        if not few:
            return forgotten


@contextmanager
def _writing(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
