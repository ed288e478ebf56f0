"""The history store of a simulation, which may fail, and lose what was not safe yet."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

from runtime.exceptions import StoreError
from runtime.history import FlowRunHistory, StateChange, history_of
from runtime.runs import FlowRun, TaskRun
from runtime.states import Crashed
from simulators.scheduling import Scheduler

_GONE = "Execution was lost: its process is gone."
_FULL = "The history of flow run '{}' cannot be kept: the store failed (a fault of the simulation)."


class Histories:
    """A history store for one simulated run at a time."""

    secures_every_end = False
    keeps_log = False

    def __init__(self, scheduler: Scheduler | None = None) -> None:
        """``scheduler``: that of what may go wrong when something is written, where that is so."""
        self._scheduler = scheduler
        self.known_flow_runs: list[FlowRun] = []
        self.changes: list[StateChange] = []
        self.begin_again()

    def begin_again(self) -> None:
        """Forget the last run."""
        self.known_flow_runs = []
        self.changes = []
        #: the run whose change was written last, until somebody has asked for it
        self.written: FlowRun | TaskRun | None = None
        #: for each outermost flow run how many changes there were, of all runs, when its own were safe
        self._safe: dict[UUID, int] = {}
        self._stops: dict[UUID, Callable[[], object]] = {}
        #: outermost flow runs whose history is not kept any more; whether they have been told
        self._told: dict[UUID, bool] = {}

    def begin(self, flow_run: FlowRun, stop: Callable[[], object] | None = None) -> None:
        """Expect changes of this run, and of its task runs."""
        if all(known.id != flow_run.id for known in self.known_flow_runs):  # one that is resumed is known
            self.known_flow_runs.append(flow_run)
        if stop is not None:
            self._stops[flow_run.id] = stop

    def append(self, change: StateChange) -> None:
        """Keep one more change; nothing of a flow run whose history is not kept any more."""
        scheduler = self._scheduler
        if scheduler is not None:
            if scheduler.ending or self.outermost(change.run).id in self._told:
                return
            scheduler.touch(self, change.run.id)
            self.written = change.run
        self.changes.append(change)

    def log(self, flow_run_id: UUID, run_id: UUID, at: float, level: int, message: str) -> None:
        """Keeps no log."""

    def commit(self, flow_run_id: UUID) -> None:
        """Say that all is safe. Raises ``StoreError`` where the store has failed."""
        if self._scheduler is not None:
            self._scheduler.touch(self, writes=False)
        if flow_run_id in self._told:
            self._told[flow_run_id] = True
            raise StoreError(_FULL.format(self._known(flow_run_id).name))
        self._safe[flow_run_id] = len(self.changes)

    async def commit_async(self, flow_run_id: UUID) -> None:
        """Like :meth:`commit`, for an event loop."""
        self.commit(flow_run_id)

    def flow_runs(self) -> list[FlowRun]:
        """The outermost flow runs, oldest first."""
        return [run for run in self.known_flow_runs if run.parent_id is None]

    def history(self, flow_run_id: UUID) -> FlowRunHistory:
        """All that happened to a flow run. Raises ``KeyError``."""
        return history_of(self._known(flow_run_id), self.changes, self.known_flow_runs)

    def outermost(self, run: FlowRun | TaskRun) -> FlowRun:
        """The flow run that a run belongs to, with all around it."""
        owner = run if isinstance(run, FlowRun) else self._known(run.flow_run_id)
        while owner.parent_id is not None:
            owner = self._known(owner.parent_id)
        return owner

    # What goes wrong

    def fail(self, flow_run: FlowRun) -> None:
        """Nothing of an outermost flow run is kept from now on, nor what was not safe."""
        self._told[flow_run.id] = False
        self.lose(flow_run)

    def stop(self, flow_run: FlowRun) -> None:
        """Tell an outermost flow run to stop."""
        self._touch_all()
        self._stops[flow_run.id]()

    def lose(self, flow_run: FlowRun) -> None:
        """What was not safe of an outermost flow run is gone."""
        self._touch_all()
        safe = self._safe.get(flow_run.id, 0)
        self.changes[safe:] = [
            change for change in self.changes[safe:] if self.outermost(change.run) is not flow_run
        ]

    def recover(self, flow_run: FlowRun) -> FlowRunHistory | None:
        """What the next process finds of an outermost flow run; whatever had not settled has crashed.

        None where nobody will ever know of it.
        """
        self._told.pop(flow_run.id, None)
        history = self.history(flow_run.id)
        if not history.states:
            self.known_flow_runs[:] = [
                run for run in self.known_flow_runs if self.outermost(run) is not flow_run
            ]
            return None
        self.changes += crashes(history)
        return self.history(flow_run.id)

    @property
    def problems(self) -> list[str]:
        """Flow runs whose history was not kept, and who were never told."""
        return [
            f"flow run '{self._known(flow_run_id).name}' went on, and nobody was told that it is not recorded"
            for flow_run_id, told in self._told.items()
            if not told
        ]

    def is_cut(self, flow_run: FlowRun) -> bool:
        """Whether the history of an outermost flow run ends where the store failed."""
        return flow_run.id in self._told

    def _touch_all(self) -> None:
        if self._scheduler is not None:
            self._scheduler.touch(self)

    def _known(self, flow_run_id: UUID | None) -> FlowRun:
        for flow_run in self.known_flow_runs:
            if flow_run.id == flow_run_id:
                return flow_run
        raise KeyError(flow_run_id)


class WatchedLock:
    """A lock for bookkeeping; who gives it back is asked about what was written meanwhile."""

    def __init__(self, lock: AbstractContextManager[object], given_back: Callable[[], None]) -> None:
        self._lock = lock
        self._given_back = given_back
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.__enter__()
        self._depth += 1

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        self._lock.__exit__(None, None, None)
        if not self._depth:
            self._given_back()


def crashes(history: FlowRunHistory) -> list[StateChange]:
    """The changes that mark what had not settled when its process was gone; flow runs come last."""
    changes = list(history)
    latest = {change.run.id: change for change in changes}
    last = changes[-1]
    left = [change for change in latest.values() if not change.state.is_settled()]
    left.sort(key=lambda change: -_depth(change, history))
    return [
        StateChange(
            change.run,
            last.index + number,
            Crashed(_GONE, at=last.at),
            last.at,
            last.elapsed,
            change.attempt,
            change.run_count,
            change.worker,
        )
        for number, change in enumerate(left, 1)
    ]


def _depth(change: StateChange, history: FlowRunHistory) -> int:
    """How deep a flow run lies in others; task runs are deeper than all of them."""
    if not isinstance(change.run, FlowRun):
        return len(history.subflow_runs) + 1
    parents = {run.id: run.parent_id for run in history.subflow_runs}
    depth, parent = 0, change.run.parent_id
    while parent is not None:
        depth, parent = depth + 1, parents.get(parent)
    return depth
