"""Histories in one file, which any number of processes write to and read from."""

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from runtime.history.changes import StateChange
from runtime.history.records import FlowRunHistory
from runtime.history.sqlite import following, listing, rows, upkeep
from runtime.history.sqlite.connections import Durability, explained, open_to_write, reading
from runtime.history.sqlite.following import FullChange, Part
from runtime.history.sqlite.listing import EnteredState, FlowRunSummary, StoredLine
from runtime.history.sqlite.recovery import recover
from runtime.history.sqlite.writer import Barrier, LogLine, Tree, Writer, lease_folder
from runtime.history.stores import history_of
from runtime.interrupts import waits
from runtime.runs import FlowRun


class SQLiteHistoryStore:
    """Keeps histories in the file ``path``. A new one, with its folder, is readable by its owner alone.

    A flow run begins when its record is written, and ends when all its changes are: neither is lost when
    the process is killed. ``durability="full"`` also waits for each task run's final state, and each
    time until the disk has it: nothing that was reported is lost when the machine loses power.
    ``patience``: seconds to wait for another process that holds the file locked.
    """

    keeps_log = True

    def __init__(
        self, path: str | Path, *, durability: Durability = "normal", patience: float = 15.0
    ) -> None:
        if durability not in ("normal", "full"):
            raise ValueError(f"durability must be 'normal' or 'full', not {durability!r}")
        self.path = Path(path)
        self._patience = patience
        #: whether the engine waits for the commit of each task run's final state
        self.secures_every_end = durability == "full"
        self._writer = Writer(self.path, durability, patience)
        self._trees: dict[UUID, Tree] = {}
        self._latest: tuple[UUID | None, Tree | None] = (None, None)
        self._lock = threading.Lock()
        weakref.finalize(self, self._writer.close)
        _stores.add(self)

    def begin(self, flow_run: FlowRun, stop: Callable[[], object] | None = None) -> None:
        """Expect changes of this run, and of its task runs. ``stop`` is called where it should not go on."""
        with self._lock:
            if flow_run.parent_id is None:
                tree = Tree(flow_run, stop or _nothing)
                self._writer.open(tree)
            else:
                tree = self._trees.get(flow_run.parent_id)
                if tree is None:  # in a forked child: its parent process has the rest of the history
                    return
            tree.members.append(flow_run.id)
            self._trees[flow_run.id] = tree
        self._writer.put((tree, flow_run))

    def append(self, change: StateChange) -> None:
        """Keep one more change. Waits only while the writer is far behind."""
        run = change.run
        owner = run.id if isinstance(run, FlowRun) else run.flow_run_id
        latest, tree = self._latest
        if owner is not latest:
            tree = self._trees.get(owner) if owner is not None else None
            self._latest = (owner, tree)
        if tree is None or tree.error is not None:
            return
        self._writer.put((tree, change))
        if run is tree.flow_run and change.state.is_final():
            tree.ended = True

    def log(self, flow_run_id: UUID, run_id: UUID, at: float, level: int, message: str) -> None:
        """Keep a line that a flow run under way, or one of its task runs, wrote to its log."""
        tree = self._trees.get(flow_run_id)
        if tree is not None:
            self._writer.put((tree, LogLine(run_id, at, level, message)))

    def commit(self, flow_run_id: UUID) -> None:
        """Return when everything about the flow run that was appended before is safe.

        Raises ``StoreError`` where it cannot be.
        """
        tree = self._trees.get(flow_run_id)
        if tree is not None:
            passed = threading.Event()
            try:
                self._writer.put(Barrier(passed.set))
                _wait(passed)
            finally:
                self._forget_ended(tree)
            if tree.error is not None:
                raise tree.error

    async def commit_async(self, flow_run_id: UUID) -> None:
        """Like :meth:`commit`, for an event loop."""
        tree = self._trees.get(flow_run_id)
        if tree is not None:
            loop = asyncio.get_running_loop()
            passed: asyncio.Future[None] = loop.create_future()
            try:
                self._writer.put(Barrier(lambda: _pass(loop, passed)))
                await passed
            finally:
                self._forget_ended(tree)
            if tree.error is not None:
                raise tree.error

    def flow_runs(self) -> list[FlowRun]:
        """The outermost flow runs that are known, oldest first."""
        try:
            with reading(self.path, self._patience) as connection:
                return rows.flow_runs(connection, "root IS NULL")
        except FileNotFoundError:
            return []

    def history(self, flow_run_id: UUID) -> FlowRunHistory:
        """All that happened to a flow run, its task runs and subflow runs. Raises ``KeyError``."""
        try:
            with reading(self.path, self._patience) as connection:
                found = connection.execute(
                    "SELECT coalesce(root, number) FROM flow_run WHERE id = ?", (flow_run_id.bytes,)
                ).fetchone()
                if found is None:
                    raise KeyError(flow_run_id)
                members, changes = rows.tree(connection, found[0])
        except FileNotFoundError:
            raise KeyError(flow_run_id) from None
        flow_run = next(run for run in members if run.id == flow_run_id)
        return history_of(flow_run, changes, members)

    def summaries(self, **filters: Any) -> list[FlowRunSummary]:
        """The outermost flow runs, newest first; takes the filters of :func:`listing.summaries`."""
        try:
            with reading(self.path, self._patience) as connection:
                return listing.summaries(connection, **filters)
        except FileNotFoundError:
            return []

    def named(self, text: str) -> list[FlowRun]:
        """The outermost flow runs that ``text`` may mean: by name, or by the beginning of the id."""
        try:
            with reading(self.path, self._patience) as connection:
                return listing.named(connection, text)
        except FileNotFoundError:
            return []

    def summary(self, flow_run_id: UUID) -> FlowRunSummary:
        """How one outermost flow run stands. Raises ``KeyError``."""
        with self._reading(flow_run_id) as connection:
            return listing.summary(connection, flow_run_id)

    def part(self, flow_run_id: UUID, start: int = 0, limit: int = 10_000) -> Part:
        """What happened to an outermost flow run from the change numbered ``start``. Raises ``KeyError``."""
        with self._reading(flow_run_id) as connection:
            return following.part(connection, flow_run_id, start, limit)

    def changes_of(self, flow_run_id: UUID, run_id: UUID) -> list[FullChange]:
        """All that happened to one run in an outermost flow run. Raises ``KeyError``."""
        with self._reading(flow_run_id) as connection:
            return following.changes_of(connection, flow_run_id, run_id)

    def reached(self, flow_run_id: UUID) -> tuple[int, int]:
        """The number of the next change, and of the last line of the log. Raises ``KeyError``."""
        with self._reading(flow_run_id) as connection:
            return following.reached(connection, flow_run_id)

    def log_lines(self, flow_run_id: UUID, after: int = 0, limit: int = -1) -> list[StoredLine]:
        """The log of an outermost flow run, in order; what comes after the line numbered ``after``."""
        with reading(self.path, self._patience) as connection:
            return listing.log_lines(connection, flow_run_id, after, limit)

    def states_since(self, flow_run_id: UUID, position: int) -> list[EnteredState]:
        """The changes of an outermost flow run from ``position`` on, in short."""
        with reading(self.path, self._patience) as connection:
            return listing.states_since(connection, flow_run_id, position)

    def ask_to_cancel(self, flow_run_id: UUID) -> bool:
        """Ask the process of an outermost flow run to cancel it. False where it is not under way."""
        with explained(self.path), closing(self._open()) as connection:
            return upkeep.ask_to_cancel(connection, flow_run_id)

    def take_in(self, history: FlowRunHistory) -> None:
        """Keep the history of an outermost flow run from elsewhere. Raises ``StoreError`` for a known one."""
        with explained(self.path), closing(self._open()) as connection:
            upkeep.take_in(connection, history)

    def forget(self, before: float) -> list[FlowRun]:
        """Forget flow runs created before a moment and not under way; returns them and their subflow runs."""
        if not self.path.exists():
            return []
        with explained(self.path), closing(self._open()) as connection:
            return upkeep.forget(connection, before)

    def recover(self, *, elsewhere: bool = False) -> list[FlowRun]:
        """Mark flow runs as Crashed whose process is gone; returns those that were marked by this call.

        The first flow run of a process does so, too. ``elsewhere``: also flow runs of other machines.
        """
        if not self.path.exists():
            return []
        with explained(self.path), closing(self._open()) as connection:
            return recover(connection, lease_folder(self.path), time.time(), elsewhere=elsewhere)

    def _open(self) -> sqlite3.Connection:
        return open_to_write(self.path, "normal", self._patience)

    def close(self) -> None:
        """Let go of the file. A flow run that begins later opens it again."""
        self._writer.close()

    @contextmanager
    def _reading(self, flow_run_id: UUID) -> Generator[sqlite3.Connection]:
        try:
            with reading(self.path, self._patience) as connection:
                yield connection
        except FileNotFoundError:
            raise KeyError(flow_run_id) from None

    def _forget_ended(self, tree: Tree) -> None:
        if tree.ended:
            with self._lock:
                for flow_run_id in tree.members:
                    self._trees.pop(flow_run_id, None)
                self._latest = (None, None)
            self._writer.closed(tree)

    def leave_to_parent(self) -> None:
        """In a forked child: runs, file and thread are the parent's."""
        self._lock = threading.Lock()
        self._trees = {}
        self._latest = (None, None)
        self._writer.leave_to_parent()


@waits
def _wait(passed: threading.Event) -> None:
    passed.wait()


def _pass(loop: asyncio.AbstractEventLoop, passed: "asyncio.Future[None]") -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(lambda: passed.done() or passed.set_result(None))


def _nothing() -> None:
    return None


def _leave_all_to_parent() -> None:
    for store in list(_stores):
        store.leave_to_parent()


_stores: "weakref.WeakSet[SQLiteHistoryStore]" = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
