"""What a store says when its file cannot be used, and that what was there stays."""

import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore
from runtime.history.guarantees import violations
from runtime.history.sqlite import schema
from runtime.task_runners import SequentialTaskRunner

called: list[int] = []


@task
def note(n):
    called.append(n)
    return n


@flow(task_runner=SequentialTaskRunner())
def notes(n):
    return [note.submit(i).result() for i in range(n)]


@pytest.fixture(autouse=True)
def nothing_called():
    called.clear()


@pytest.fixture
def kept(path):
    """A store that holds one flow run."""
    with environment(store=SQLiteHistoryStore(path)) as here:
        notes(1)
    here.store.close()
    called.clear()
    return path


def refused(path, **options):
    """What a flow says that cannot be recorded there. None of its code runs."""
    store = SQLiteHistoryStore(path, **options)
    with environment(store=store), pytest.raises(StoreError) as raised:
        notes(1)
    store.close()
    assert called == []
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_a_lock_that_is_given_back_in_time_is_waited_for(kept):
    store = SQLiteHistoryStore(kept, patience=30)
    with closing(sqlite3.connect(kept, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        release.start()
        with environment(store=store):
            notes(2)
        release.join()

    assert [violations(store.history(run.id)) for run in store.flow_runs()] == [[], []]
    store.close()


def test_a_lock_that_is_held_for_ever_is_an_error_before_anything_runs(kept):
    with closing(sqlite3.connect(kept, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert "another process keeps it locked for too long" in refused(kept, patience=0.1)
        assert len(SQLiteHistoryStore(kept).flow_runs()) == 1


def test_a_flow_whose_store_is_locked_on_the_way_ends_and_says_so(kept):
    store = SQLiteHistoryStore(kept, patience=0.1)
    stopped = threading.Event()

    @task
    def lock():
        connection = sqlite3.connect(kept, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    @flow
    def locked():
        with closing(lock()):
            try:
                while not stopped.wait(0.01):
                    note.submit(1).wait()
            except BaseException:
                stopped.set()
                raise

    with environment(store=store), pytest.raises(StoreError, match="locked"):
        locked()

    assert len(store.flow_runs()) == 2
    store.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing of the kind" * 100, "not a history store"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "history store"),
    ],
    ids=["text", "damaged"],
)
def test_a_file_that_is_no_store_is_left_as_it_is(path, content, said):
    path.parent.mkdir()
    path.write_bytes(content)

    assert said in refused(path)
    assert path.read_bytes() == content
    with pytest.raises(StoreError, match="history"):
        SQLiteHistoryStore(path).flow_runs()


def test_a_database_of_another_program_is_left_as_it_is(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE accounts (name)")
    before = path.read_bytes()

    assert "a database of another program" in refused(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_left_as_it_is(kept):
    with closing(sqlite3.connect(kept)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = kept.read_bytes()

    said = refused(kept)

    assert "newer version of pytest-flows (its schema is 99, the newest known here is 1)" in said
    assert kept.read_bytes() == before
    with pytest.raises(StoreError, match="newer version"):
        SQLiteHistoryStore(kept).flow_runs()


def test_damage_in_the_middle_is_an_error_that_says_what_to_do(kept):
    pages = bytearray(kept.read_bytes())
    pages[4096:] = os.urandom(len(pages) - 4096)
    kept.write_bytes(pages)

    assert "recover" in refused(kept)
    with pytest.raises(StoreError, match="damaged"):
        SQLiteHistoryStore(kept).flow_runs()


def test_a_place_that_cannot_be_a_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")

    assert "cannot be opened" in refused(tmp_path / "file" / "history.db")


FULL = """
import resource
store = SQLiteHistoryStore(path)
with environment(store=store):
    sums(3)

called = 0

@task
def count(text):
    global called
    called += 1

@flow(task_runner=SequentialTaskRunner(), name="long-" + 3000 * "x")
def counts():
    for i in range(100_000):
        count.submit(str(i))

used = os.path.getsize(path) + os.path.getsize(path + "-wal")
resource.setrlimit(resource.RLIMIT_FSIZE, (used + 50_000, resource.RLIM_INFINITY))
try:
    with environment(store=store):
        counts()
except StoreError as error:
    print(json.dumps([str(error), called]))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with environment(store=store):
    sums(2)  # there is room again
store.close()
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_flow_and_keeps_what_was_there(program, path):
    process = program(FULL)
    output, errors = process.communicate(timeout=60)

    assert errors == ""
    said, calls = json.loads(output)
    assert "the disk" in said
    assert calls < 100_000
    store = SQLiteHistoryStore(path)
    first, long, last = store.flow_runs()
    assert violations(store.history(first.id)) == []
    assert violations(store.history(last.id)) == []
    assert store.history(long.id).states == ["Pending", "Running"]


READ_ONLY = """
sums(1)  # what is imported late is imported
os.setuid(65534)
store = SQLiteHistoryStore(arguments[0])
for run in store.flow_runs():
    print(store.history(run.id).states.names[-1])
try:
    with environment(store=store):
        sums(1)
except StoreError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become somebody else")
def test_a_store_that_may_only_be_read_is_read_and_not_written_to(program, kept):
    # Not below pytest's own folder: whichever pytest starts next closes that to others again.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        readable = Path(shutil.copy(kept, folder))
        readable.chmod(0o444)

        output, errors = program(READ_ONLY, str(readable)).communicate(timeout=60)

    assert errors == ""
    completed, said = output.splitlines()
    assert completed == "Completed"
    assert "History store" in said


def test_the_table_refuses_what_no_history_may_hold(kept):
    with closing(sqlite3.connect(kept, isolation_level=None)) as other:
        row = other.execute("SELECT * FROM state_change WHERE position = 1").fetchone()
        insert = f"INSERT INTO state_change VALUES ({', '.join('?' * len(row))})"
        (last,) = other.execute("SELECT max(position) FROM state_change").fetchone()
        for position, reason in ((1, "out of turn"), (last + 2, "out of turn"), (last + 1, "after the end")):
            with pytest.raises(sqlite3.IntegrityError, match=reason):
                other.execute(insert, (row[0], position, *row[2:]))
        with pytest.raises(sqlite3.IntegrityError, match="never altered"):
            other.execute("UPDATE state_change SET name = 'Completed'")
        with pytest.raises(sqlite3.IntegrityError, match="never taken out"):
            other.execute("DELETE FROM state_change")
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            other.execute(insert, (row[0], last + 1, b"short", *row[3:]))


def test_a_store_of_an_older_version_is_brought_up_to_date(tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        schema.migrate(connection, ("CREATE TABLE first (a);",))
        schema.migrate(
            connection, ("CREATE TABLE first (a);", "ALTER TABLE first ADD b;\nCREATE TABLE next (c);")
        )

        assert schema.check_schema(connection, ("", "")) == 2
        assert [row[1] for row in connection.execute("PRAGMA table_info(first)")] == ["a", "b"]


def test_a_migration_that_fails_changes_nothing(tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        schema.migrate(connection, ("CREATE TABLE first (a);",))
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection, ("", "CREATE TABLE next (c);\nCREATE TABLE next (c);"))

        assert schema.check_schema(connection) == 1
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("first",)]
