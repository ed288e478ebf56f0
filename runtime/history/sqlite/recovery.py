"""Flow runs whose process is gone: marked as Crashed, once, by whoever finds them first.

Nothing is guessed from the time that has passed: a process that lives holds the lock on its lease. What
is found is looked at again within the transaction that writes, so that of many who look one does it.
"""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from runtime.history.changes import StateChange
from runtime.history.sqlite import rows
from runtime.history.sqlite.processes import WriterProcess, verdict
from runtime.runs import FlowRun
from runtime.states import Crashed, Pending, State

#: flow runs in one transaction: others want to write, too
_AT_ONCE = 100

_UNDER_WAY = """SELECT p.number, p.host, p.boot, p.pid, p.started, p.lease, u.root
    FROM under_way u JOIN process p ON p.number = u.process ORDER BY p.number, u.root"""


def recover(
    connection: sqlite3.Connection, leases: Path, now: float, *, elsewhere: bool = False
) -> list[FlowRun]:
    """Mark flow runs as Crashed whose process is gone; returns those that this call has marked.

    ``elsewhere``: also those of processes on other machines, which cannot be asked after from here.
    """
    found: list[FlowRun] = []
    known = connection.execute(_UNDER_WAY).fetchall()
    for number, group in groupby(known, key=lambda row: row[0]):
        mine = list(group)
        process = WriterProcess(*mine[0][1:6])
        said = verdict(process, leases)
        if said == "gone" or (said == "elsewhere" and elsewhere):
            roots = [row[6] for row in mine]
            for start in range(0, len(roots), _AT_ONCE):
                found += _mark(connection, roots[start : start + _AT_ONCE], number, process, now)
            connection.execute("DELETE FROM process WHERE number = ?", (number,))
            (leases / process.lease).unlink(missing_ok=True)
    return found


def _mark(
    connection: sqlite3.Connection, roots: Sequence[int], number: int, process: WriterProcess, now: float
) -> list[FlowRun]:
    message = f"Execution was lost: its process ({process.pid} on {process.host}) is gone."
    marked: list[FlowRun] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for root in roots:
            still = connection.execute(
                "SELECT 1 FROM under_way WHERE root = ? AND process = ?", (root, number)
            ).fetchone()
            if still is not None:  # else somebody else was faster
                marked.append(_crash(connection, root, message, now))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return marked


def _crash(connection: sqlite3.Connection, root: int, message: str, now: float) -> FlowRun:
    """Settle all of a flow run that has not: task runs, then subflow runs from the innermost, then itself."""
    members, changes = rows.tree(connection, root)
    outermost = members[0]
    latest = {change.run.id: change for change in changes}
    position, elapsed = (changes[-1].index + 1, changes[-1].elapsed) if changes else (0, 0.0)

    def write(before: StateChange, state: State) -> None:
        nonlocal position
        change = StateChange(
            before.run, position, state, now, elapsed, before.attempt, before.run_count, before.worker
        )
        connection.execute(rows.INSERT_CHANGE, rows.change_row(change, root))
        position += 1

    if outermost.id not in latest:  # its process was gone before it had a state
        write(StateChange(outermost, 0, Pending(), now, elapsed), Pending(at=now))
        latest[outermost.id] = StateChange(outermost, 0, Pending(), now, elapsed)
    unsettled = [change for change in latest.values() if not change.state.is_settled()]
    flows = {run.id: place for place, run in enumerate(members)}
    unsettled.sort(key=lambda change: -flows.get(change.run.id, len(flows)))
    for change in unsettled:
        write(change, Crashed(message, at=now))
    return outermost
