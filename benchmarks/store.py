"""What it costs to keep histories in a file, beside keeping them in memory and beside a bare writer."""

import json
import os
import queue
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.contests import Contest
from benchmarks.engine import concurrent, sequential
from runtime.context import environment
from runtime.history import MemoryHistoryStore, SQLiteHistoryStore, StateChange
from runtime.runs import FlowRun, TaskRun
from runtime.states import Completed, Pending, Running

TASKS = 1_000
CHANGES = 3 * TASKS + 3

ONE_TASK = """
from runtime import flow, task

@task
def one():
    return 1

@flow
def single():
    return one.submit()
"""


def contests() -> Iterator[Contest]:
    """Whole flows, the store alone, reading, and one task from the command line."""
    folder = Path(tempfile.mkdtemp(prefix="flows-benchmark-"))
    kept = SQLiteHistoryStore(folder / "history.db")
    for name, work in (("sequential", sequential), ("concurrent", concurrent)):
        yield Contest(
            f"{TASKS:,} no-op tasks, {name}, kept in a file",
            "task",
            TASKS,
            {
                "flow": lambda work=work: _in(kept, work),
                "the same in memory": lambda work=work: _in(MemoryHistoryStore(), work),
            },
            promised="at most 150 µs of CPU",
            around=lambda: _held(kept),
        )
    yield Contest(
        "the store alone",
        "change",
        CHANGES,
        {
            "SQLiteHistoryStore": lambda: _tell(kept),
            "bare queue and batches": lambda: _bare(folder / "bare.db"),
        },
        promised="at most 1.5 times the bare writer's CPU",
        around=lambda: _held(kept),
    )
    story = _tell(kept)
    yield Contest(
        "reading a history",
        "change",
        CHANGES,
        {"SQLiteHistoryStore.history": lambda: kept.history(story)},
        promised="at most 100 µs",
        around=lambda: _held(kept),
    )
    (folder / "single.py").write_text(ONE_TASK)
    yield Contest(
        "flows run with one task, from nothing to its end, kept",
        "flow run",
        1,
        {
            "flows run": lambda: _command(
                folder, [str(Path(sys.executable).with_name("flows")), "run", "single.py"]
            ),
            "python -c pass": lambda: _command(folder, [sys.executable, "-c", "pass"]),
        },
        promised="at most 300 ms",
        cpu_time=_cpu_with_children,
    )


def _in(store: MemoryHistoryStore | SQLiteHistoryStore, work: Callable[[int], object]) -> None:
    with environment(store=store):
        work(TASKS)


@contextmanager
def _held(store: SQLiteHistoryStore) -> Generator[None]:
    yield
    store.close()


def _tell(store: SQLiteHistoryStore) -> UUID:
    run = FlowRun(uuid4(), "benchmark", "flow")
    store.begin(run)
    for change in _changes(run):
        store.append(change)
    store.commit(run.id)
    return run.id


def _changes(run: FlowRun) -> Iterator[StateChange]:
    index = 0
    for state in (Pending(), Running()):
        yield StateChange(run, index, state, 0.0, 0.0)
        index += 1
    for n in range(TASKS):
        task = TaskRun(uuid4(), "add", "a087a829", n, run.id)
        for state in (Pending(), Running(), Completed()):
            yield StateChange(task, index, state, 0.0, 0.0, worker="thread-1")
            index += 1
    yield StateChange(run, index, Completed(), 0.0, 0.0)


def _bare(path: Path) -> None:
    """The same history by a thread that takes what has come up, into tables without key, index or rule.

    What it writes is all that has to come back. It leaves out what only rules need, and guards nothing.
    """
    run = FlowRun(uuid4(), "benchmark", "flow")
    items: queue.SimpleQueue[StateChange | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_write_bare, args=(path, items))
    writer.start()
    for change in _changes(run):
        items.put(change)
    items.put(None)
    writer.join()


def _write_bare(path: Path, items: "queue.SimpleQueue[StateChange | None]") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS task (root, id, flow, parent, name, key, n, title, tags, inputs)"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS change "
            "(root, run, position, type, name, message, at, elapsed, attempt, count, worker)"
        )
        over = False
        while not over:
            batch = [items.get()]
            while not items.empty():
                batch.append(items.get_nowait())
            if batch[-1] is None:
                over = True
                batch.pop()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO task VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_bare_task(c.run) for c in batch if isinstance(c.run, TaskRun) and c.state.is_pending()],
            )
            connection.executemany(
                "INSERT INTO change VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_bare_row, batch)
            )
            connection.execute("COMMIT")


def _bare_task(run: TaskRun) -> tuple[object, ...]:
    return (
        run.id.bytes,
        run.flow_run_id and run.flow_run_id.bytes,
        run.parent and run.parent.id.bytes,
        run.task_name,
        run.task_key,
        run.n,
        run.title,
        json.dumps(run.tags) if run.tags else "[]",
        json.dumps([(each.kind, each.parameter, str(each.task_run)) for each in run.inputs])
        if run.inputs
        else "[]",
    )


def _bare_row(change: StateChange) -> tuple[object, ...]:
    state = change.state
    return (
        change.run.id.bytes,
        change.index,
        state.type.value,
        state.name,
        state.message,
        change.at,
        change.elapsed,
        change.attempt,
        change.run_count,
        change.worker,
    )


def _command(folder: Path, command: list[str]) -> None:
    environ = {**os.environ, "FLOWS_HOME": str(folder / "home")}
    subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)


def _cpu_with_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime
