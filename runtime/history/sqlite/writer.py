"""The one thread that writes to a store: it takes what has come up, and writes it in one transaction.

It does not linger to let more come: what was put while one batch was written is the next batch, so
batches grow with the load by themselves. The thread is there while flow runs are under way.
"""

import ctypes
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from runtime.exceptions import StoreError
from runtime.history.changes import StateChange
from runtime.history.sqlite import rows
from runtime.history.sqlite.connections import Durability, explained, open_to_write
from runtime.history.sqlite.processes import Lease
from runtime.history.sqlite.recovery import recover
from runtime.interrupts import waits
from runtime.runs import FlowRun, TaskRun

#: changes that may wait to be written before whoever makes them has to wait
LIMIT = 10_000
#: seconds between two looks at what other processes ask for
WATCH = 0.5
_LARGEST_BATCH = 5_000


class Tree:
    """An outermost flow run under way, with all in it."""

    __slots__ = ("ended", "error", "flow_run", "members", "root", "stop", "told")

    def __init__(self, flow_run: FlowRun, stop: Callable[[], object]) -> None:
        self.flow_run = flow_run
        #: tells the flow run to end: somebody asks for it, or its history is lost
        self.stop = stop
        #: its number in the store, once it is there
        self.root: int | None = None
        #: why its history ends here
        self.error: StoreError | None = None
        #: the ids of its flow runs
        self.members: list[UUID] = []
        #: whether its last change was put
        self.ended = False
        #: whether it was told to stop
        self.told = False


class LogLine:
    """One line of the log of a run."""

    __slots__ = ("at", "level", "message", "run_id")

    def __init__(self, run_id: UUID, at: float, level: int, message: str) -> None:
        self.run_id = run_id
        self.at = at
        self.level = level
        self.message = message


class Barrier:
    """Is passed when all that was put before is written, or lost."""

    __slots__ = ("passed",)

    def __init__(self, passed: Callable[[], object]) -> None:
        self.passed = passed


#: a flow run that begins, a change, a line of the log; or a barrier
Item = tuple[Tree, FlowRun | StateChange | LogLine] | Barrier


class Writer:
    """Writes items in the order in which they were put, from any thread."""

    def __init__(
        self, path: Path, durability: Durability, patience: float, limit: int = LIMIT, watch: float = WATCH
    ) -> None:
        self._path = path
        self._durability: Durability = durability
        self._patience = patience
        self._limit = limit
        self._watch = watch
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._items: deque[Item] = deque()
        #: outermost flow runs under way
        self._trees: set[Tree] = set()
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._idle = False
        self._thread: threading.Thread | None = None
        self._closing = False
        # The file is used by the thread, or under the lock where there is none.
        self._connection: sqlite3.Connection | None = None
        self._lease: Lease | None = None
        self._process: int | None = None

    def put(self, item: Item) -> None:
        """Write this, soon. Waits only while a great many items wait already."""
        self._items.append(item)
        # The writer says that it is idle before it looks for items: one of the two sees the other.
        if self._idle or self._thread is None:
            self._wake()
        if len(self._items) > self._limit:
            self._wait_for_room()

    def open(self, tree: Tree) -> None:
        """A flow run begins: keep the thread until :meth:`closed`."""
        with self._changed:
            self._trees.add(tree)

    def closed(self, tree: Tree) -> None:
        """The flow run has ended, and all about it was put."""
        with self._changed:
            self._trees.discard(tree)
            self._changed.notify()

    def close(self) -> None:
        """Write what was put, and let go of the file. A flow run that begins later opens it again."""
        with self._changed:
            self._trees.clear()
            thread = self._thread
            if thread is None:
                self._close()
                return
            self._closing = True
            self._changed.notify()
        if thread is not threading.current_thread():  # a store may be collected on any thread
            thread.join()

    def leave_to_parent(self) -> None:
        """In a forked child: all that was there belongs to the parent."""
        if self._connection is not None:
            # Closing it here, also when it is collected, could spoil the parent's file.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        self._begin_anew()

    def _wake(self) -> None:
        with self._changed:
            self._idle = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flows-history", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()

    @waits
    def _wait_for_room(self) -> None:
        with self._changed:
            while len(self._items) > self._limit:
                self._room.wait()

    def _run(self) -> None:
        watched = time.monotonic()
        while self._wait_for_items():
            batch = [self._items.popleft() for _ in range(min(len(self._items), _LARGEST_BATCH))]
            with self._changed:
                self._room.notify_all()
            self._write(batch)
            if time.monotonic() - watched >= self._watch:
                watched = time.monotonic()
                self._look_for_requests()
            for item in batch:
                if isinstance(item, Barrier):
                    item.passed()

    def _wait_for_items(self) -> bool:
        """Whether to go on: there are items, or it is time to look at what others ask for."""
        with self._changed:
            self._idle = True
            if not self._items:
                if not self._trees:
                    if self._closing:
                        self._close()
                    self._thread = None
                    return False
                self._changed.wait(self._watch)
            self._idle = False
            return True

    def _write(self, batch: list[Item]) -> None:
        items = [item for item in batch if not isinstance(item, Barrier) and item[0].error is None]
        if not items:
            return
        try:
            with explained(self._path):
                self._transact(self._opened(), items)
        except StoreError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                self._lose({item[0] for item in items}, error)
                self._drop_connection()
            elif len(trees := {item[0] for item in items}) == 1:
                self._lose(trees, _taken(items[0][0], error))
            else:  # one history is refused; the others have nothing to do with it
                for tree in trees:
                    self._write([item for item in items if item[0] is tree])
        except Exception as error:  # a bug, and no reason to let anybody wait for ever
            lost = StoreError(f"History store {self._path}: {error!r}")
            lost.__cause__ = error
            self._lose({item[0] for item in items}, lost)

    def _transact(self, connection: sqlite3.Connection, items: Iterable[tuple[Tree, object]]) -> None:
        roots: dict[Tree, int] = {}
        tasks: list[rows.Row] = []
        changes: list[rows.Row] = []
        lines: list[rows.Row] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for tree, item in items:
                root = tree.root if tree.root is not None else roots.get(tree)
                if type(item) is StateChange:
                    assert root is not None
                    if isinstance(item.run, TaskRun) and rows.begins(item):
                        tasks.append(rows.task_run_row(item.run, root))
                    changes.append(rows.change_row(item, root))
                elif isinstance(item, FlowRun):
                    if root is None:
                        roots[tree] = self._begin_tree(connection, item)
                    else:
                        connection.execute(rows.INSERT_FLOW_RUN, rows.flow_run_row(item, root))
                elif isinstance(item, LogLine):
                    assert root is not None
                    lines.append(rows.log_row(root, item.run_id, item.at, item.level, item.message))
            connection.executemany(rows.INSERT_TASK_RUN, tasks)
            rows.insert_changes(connection, changes)
            connection.executemany(rows.INSERT_LOG_LINE, lines)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        for tree, root in roots.items():
            tree.root = root

    def _begin_tree(self, connection: sqlite3.Connection, flow_run: FlowRun) -> int:
        known = connection.execute(
            "SELECT number FROM flow_run WHERE id = ?", (flow_run.id.bytes,)
        ).fetchone()
        if known is None:
            row = rows.flow_run_row(flow_run, None)
            known = connection.execute(f"{rows.INSERT_FLOW_RUN} RETURNING number", row).fetchone()
        root: int = known[0]
        connection.execute("INSERT INTO under_way (root, process) VALUES (?, ?)", (root, self._process))
        return root

    def _look_for_requests(self) -> None:
        if self._connection is None:
            return
        try:
            asked = self._connection.execute(
                "SELECT root FROM under_way WHERE process = ? AND to_cancel = 1", (self._process,)
            ).fetchall()
        except sqlite3.Error:  # what is wrong shows when something is written
            return
        for (root,) in asked:
            for tree in [tree for tree in self._known_trees() if tree.root == root]:
                _tell_to_stop(tree)

    def _lose(self, trees: Iterable[Tree], error: StoreError) -> None:
        for tree in trees:
            tree.error = error
            if tree.root is not None:  # else it has not begun, and hears of it where it waits for that
                _tell_to_stop(tree)

    def _known_trees(self) -> list[Tree]:
        with self._changed:
            return list(self._trees)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = open_to_write(self._path, self._durability, self._patience)
            try:
                if self._lease is None:
                    self._lease = Lease(lease_folder(self._path))
                process = self._lease.process()
                self._process = connection.execute(
                    "INSERT INTO process (host, boot, pid, started, lease) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (lease) DO UPDATE SET pid = excluded.pid RETURNING number",
                    (process.host, process.boot, process.pid, process.started, process.lease),
                ).fetchone()[0]
                recover(connection, lease_folder(self._path), time.time())
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close(self) -> None:
        self._closing = False
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.Error):  # a row too many does no harm
                connection.execute(
                    "DELETE FROM process WHERE number = ? AND number NOT IN (SELECT process FROM under_way)",
                    (self._process,),
                )
            self._drop_connection()
        if self._lease is not None:
            self._lease.give_up()
            self._lease = None


def lease_folder(path: Path) -> Path:
    """Where the leases of a store's processes are."""
    return path.with_name(f"{path.name}-leases")


def _tell_to_stop(tree: Tree) -> None:
    if not tree.told:
        tree.told = True
        # Not on this thread: whoever holds what it takes to stop may wait for this thread to make room.
        threading.Thread(target=tree.stop, name="flows-stop", daemon=True).start()


def _taken(tree: Tree, error: StoreError) -> StoreError:
    name = tree.flow_run.name
    if "under_way" in str(error):
        return StoreError(f"Flow run '{name}' is under way already, in another process.")
    return StoreError(
        f"The history of flow run '{name}' was continued by another process, which took this one for gone: "
        f"what happened here since is not in it. ({error.__cause__})"
    )
