"""Where histories are kept: what the engine asks of a store, and the one in memory."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Protocol
from uuid import UUID

from runtime.history.changes import StateChange
from runtime.history.records import FlowRunHistory
from runtime.runs import FlowRun


class HistoryStore(Protocol):
    """Keeps what happened to flow runs. All methods may be called from any thread."""

    #: whether :meth:`commit` is to be waited for at the end of each task run, not of flow runs alone
    secures_every_end: bool
    #: whether it has a place for the log
    keeps_log: bool

    def begin(self, flow_run: FlowRun, stop: Callable[[], object] | None = None) -> None:
        """Expect changes of this run, and of its task runs.

        ``stop`` tells an outermost flow run to end: somebody asks for it through the store, or its history
        cannot be kept any longer. It may be called on any thread.
        """

    def append(self, change: StateChange) -> None:
        """Keep one more change. Never blocks for input or output; changes of a run come in order."""

    def log(self, flow_run_id: UUID, run_id: UUID, at: float, level: int, message: str) -> None:
        """Keep a line that a flow run, or one of its task runs, wrote to its log."""

    def commit(self, flow_run_id: UUID) -> None:
        """Return when everything about this flow run that was appended before is safe.

        Raises ``StoreError`` where it cannot be.
        """

    async def commit_async(self, flow_run_id: UUID) -> None:
        """Like :meth:`commit`, for an event loop."""

    def flow_runs(self) -> list[FlowRun]:
        """The outermost flow runs that are known, oldest first."""
        ...

    def history(self, flow_run_id: UUID) -> FlowRunHistory:
        """All that happened to a flow run, its task runs and subflow runs. Raises ``KeyError``."""
        ...


class MemoryHistoryStore:
    """Histories of the latest flow runs of this process; what it keeps is gone with it.

    ``keep`` outermost flow runs are kept, then the oldest are forgotten; None keeps all.
    """

    secures_every_end = False
    keeps_log = False

    def __init__(self, keep: int | None = 100) -> None:
        if keep is not None and keep < 1:
            raise ValueError(f"keep must be 1 or more, or None, not {keep}")
        self._keep = keep
        self._lock = Lock()
        self._trees: OrderedDict[UUID, _Tree] = OrderedDict()
        #: the tree that each flow run, outermost or not, belongs to
        self._tree_of: dict[UUID, _Tree] = {}
        #: where the latest change went; a UUID's hash is slow, and most changes follow one of their own
        self._latest: tuple[UUID | None, _Tree | None] = (None, None)

    def begin(self, flow_run: FlowRun, stop: Callable[[], object] | None = None) -> None:  # noqa: ARG002
        """Expect changes of this run, and of its task runs."""
        with self._lock:
            tree = self._tree_of.get(flow_run.parent_id) if flow_run.parent_id is not None else None
            if tree is None:
                tree = self._trees[flow_run.id] = _Tree()
            tree.flow_runs[flow_run.id] = flow_run
            self._tree_of[flow_run.id] = tree
            while self._keep is not None and len(self._trees) > self._keep:
                _, oldest = self._trees.popitem(last=False)
                for forgotten in oldest.flow_runs:
                    del self._tree_of[forgotten]
                self._latest = (None, None)

    def append(self, change: StateChange) -> None:
        """Keep one more change; one of a run that was forgotten, or never begun, is dropped."""
        run = change.run
        owner = run.id if isinstance(run, FlowRun) else run.flow_run_id
        latest, tree = self._latest
        if owner is not latest:
            tree = self._tree_of.get(owner) if owner is not None else None
            self._latest = (owner, tree)
        if tree is not None:
            tree.changes.append(change)

    def log(self, flow_run_id: UUID, run_id: UUID, at: float, level: int, message: str) -> None:
        """Keeps no log."""

    def commit(self, flow_run_id: UUID) -> None:
        """Memory is as safe as it gets."""

    async def commit_async(self, flow_run_id: UUID) -> None:
        """Memory is as safe as it gets."""

    def flow_runs(self) -> list[FlowRun]:
        """The outermost flow runs that are known, oldest first."""
        with self._lock:
            return [tree.flow_runs[run_id] for run_id, tree in self._trees.items()]

    def history(self, flow_run_id: UUID) -> FlowRunHistory:
        """All that happened to a flow run, its task runs and subflow runs. Raises ``KeyError``."""
        with self._lock:
            tree = self._tree_of[flow_run_id]
            flow_runs = dict(tree.flow_runs)
            changes = list(tree.changes)
        return history_of(flow_runs[flow_run_id], changes, flow_runs.values())


def history_of(
    flow_run: FlowRun, changes: Iterable[StateChange], flow_runs: Iterable[FlowRun]
) -> FlowRunHistory:
    """The history of ``flow_run``, picked out of the changes of the whole tree it belongs to."""
    within = {flow_run.id: flow_run}
    for run in flow_runs:  # parents come before their children
        if run.parent_id in within:
            within[run.id] = run
    picked = [
        change
        for change in changes
        if (change.run.id if isinstance(change.run, FlowRun) else change.run.flow_run_id) in within
    ]
    del within[flow_run.id]
    return FlowRunHistory(flow_run, picked, within.values())


class _Tree:
    __slots__ = ("changes", "flow_runs")

    def __init__(self) -> None:
        self.flow_runs: dict[UUID, FlowRun] = {}
        self.changes: list[StateChange] = []
