"""The tables of a store, and how those of an older version become those of this one.

The table of state changes guards itself: it takes no change out of turn, none twice, none after a run
has settled in its run count, and it lets none be altered. Whoever writes past another process, or past
this code, is refused by the file.
"""

import sqlite3
from collections.abc import Sequence

from runtime.exceptions import StoreError

#: says that a file is one of ours ("flow" in ASCII)
APPLICATION_ID = 0x666C6F77

_FIRST = """
-- Who writes: a process is known by boot, id and start, and holds a lock on its lease while it lives.
CREATE TABLE process (
    number INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,
    lease TEXT NOT NULL UNIQUE
);
-- root: the number of the outermost flow run; NULL for one that is outermost itself
CREATE TABLE flow_run (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    root INTEGER,
    parent BLOB,
    name TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    n INTEGER NOT NULL,
    flow_version TEXT,
    entry_point TEXT NOT NULL,
    parameters TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    created REAL NOT NULL,
    tags TEXT NOT NULL
);
CREATE INDEX flow_run_by_root ON flow_run (root) WHERE root IS NOT NULL;
CREATE INDEX flow_run_by_name ON flow_run (name);
CREATE TABLE task_run (
    root INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    flow_run BLOB NOT NULL,
    parent BLOB,
    task_name TEXT NOT NULL,
    task_key TEXT NOT NULL,
    n INTEGER NOT NULL,
    title TEXT,
    tags TEXT NOT NULL,
    inputs TEXT NOT NULL,
    PRIMARY KEY (root, id)
) WITHOUT ROWID;
CREATE TABLE state_change (
    root INTEGER NOT NULL,
    position INTEGER NOT NULL,
    run BLOB NOT NULL CHECK (length(run) = 16),
    is_flow INTEGER NOT NULL CHECK (is_flow IN (0, 1)),
    settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    message TEXT,
    at REAL NOT NULL,
    elapsed REAL NOT NULL,
    attempt INTEGER NOT NULL,
    run_count INTEGER NOT NULL CHECK (run_count >= 1),
    worker TEXT,
    PRIMARY KEY (root, position),
    -- Not "type IN (...)": SQLite would build a table of more than two values, anew for each row.
    CHECK (settled = CASE type WHEN 'COMPLETED' THEN 1 WHEN 'FAILED' THEN 1 WHEN 'CRASHED' THEN 1
        WHEN 'CANCELLED' THEN 1 ELSE name = 'NotReady' END)
) WITHOUT ROWID;
CREATE UNIQUE INDEX state_change_settled ON state_change (root, run, run_count) WHERE settled = 1;
CREATE INDEX state_change_of_flow ON state_change (root, run, position) WHERE is_flow = 1;
CREATE TRIGGER state_change_in_turn BEFORE INSERT ON state_change BEGIN
    SELECT RAISE(ABORT, 'out of turn') WHERE NEW.position IS NOT
        (SELECT coalesce(max(position), -1) + 1 FROM state_change WHERE root = NEW.root);
    SELECT RAISE(ABORT, 'after the end') FROM state_change
        WHERE settled = 1 AND root = NEW.root AND run = NEW.run AND run_count >= NEW.run_count;
END;
CREATE TRIGGER state_change_stays BEFORE UPDATE ON state_change BEGIN
    SELECT RAISE(ABORT, 'a change of state is never altered');
END;
-- What is forgotten is forgotten as a whole, flow run first.
CREATE TRIGGER state_change_kept BEFORE DELETE ON state_change
    WHEN EXISTS (SELECT 1 FROM flow_run WHERE number = OLD.root) BEGIN
    SELECT RAISE(ABORT, 'a change of state is never taken out of a history');
END;
-- Outermost flow runs that have begun and not ended, and who runs them.
CREATE TABLE under_way (
    root INTEGER PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES process (number),
    to_cancel INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER flow_run_ended AFTER INSERT ON state_change WHEN NEW.is_flow = 1 AND NEW.settled = 1 BEGIN
    DELETE FROM under_way WHERE root = NEW.root
        AND NEW.run = (SELECT id FROM flow_run WHERE number = NEW.root);
END;
CREATE TABLE log_line (
    number INTEGER PRIMARY KEY,
    root INTEGER NOT NULL,
    run BLOB NOT NULL,
    at REAL NOT NULL,
    level INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_line_by_root ON log_line (root, number);
"""

#: what makes version n + 1 of version n; an entry never changes once it was released
MIGRATIONS: tuple[str, ...] = (_FIRST,)


def check_schema(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> int:
    """The version of the schema; 0 for an empty file. Raises ``StoreError`` where it is none of ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError("It is a database of another program.")
    if version > len(migrations):
        raise StoreError(
            f"It was written by a newer version of pytest-flows (its schema is {version}, the newest known "
            f"here is {len(migrations)}). Nothing was changed. Upgrade, or set FLOWS_HOME to another folder."
        )
    return version


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring the schema up to the newest version. Any number of processes may do so at once."""
    if check_schema(connection, migrations) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = check_schema(connection, migrations)  # again: another process may have been faster
        for script in migrations[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The statements of a script. ``executescript`` would commit what is open."""
    statements: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements
