"""The pen that the engine writes histories with: numbers the changes of one flow run and its subflows."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from runtime.clocks import Clock
from runtime.exceptions import StoreError
from runtime.history.changes import StateChange
from runtime.history.stores import HistoryStore
from runtime.lifecycle import traceback_of
from runtime.runs import FlowRun, TaskRun
from runtime.states import State

Listener = Callable[[StateChange], None]


class Journal:
    """Writes the changes of one outermost flow run, with all in it, to a store, in order.

    ``lock`` guards the index, and with it everything about the runs that follows from events:
    whoever handles an event holds it from hearing the event until its changes are written.
    """

    __slots__ = (
        "_began",
        "_index",
        "announces",
        "clock",
        "listeners",
        "lock",
        "secures_every_end",
        "store",
    )

    def __init__(
        self,
        clock: Clock,
        store: HistoryStore | None,
        lock: AbstractContextManager[object],
        listeners: tuple[Listener, ...] = (),
        after: StateChange | None = None,
    ) -> None:
        self.clock = clock
        self.store = store
        #: whether the store is to be waited for before anybody hears of a task run's end
        self.secures_every_end = store is not None and store.secures_every_end
        #: called after each change, without the lock
        self.listeners = listeners
        #: reentrant: a finaliser of the user's may run while it is held, and cancel a future
        self.lock = lock
        #: whether anything is to be done once a change is written
        self.announces = bool(listeners) or self.secures_every_end
        #: changes are numbered, and time is counted, from the last one of an earlier process
        self._began = clock.monotonic() - (after.elapsed if after is not None else 0.0)
        self._index = after.index + 1 if after is not None else 0

    def write(
        self,
        run: FlowRun | TaskRun,
        state: State,
        attempt: int = 0,
        run_count: int = 1,
        worker: str | None = None,
    ) -> StateChange:
        """Append one change. The caller holds the lock."""
        elapsed = self.clock.monotonic() - self._began
        kept = state if state.data is None else state.without_data()
        change = StateChange(run, self._index, kept, state.at, elapsed, attempt, run_count, worker)
        if self.store is not None:
            self.store.append(change)
            if self.store.keeps_log and isinstance(state.data, BaseException):
                self._log(run, state, attempt, state.data)
        self._index += 1  # last: what could not be appended takes no number
        return change

    def _log(self, run: FlowRun | TaskRun, state: State, attempt: int, error: BaseException) -> None:
        """Keep why a run, or one of its attempts, ended so: a history holds no exceptions."""
        flow_run_id = run.id if isinstance(run, FlowRun) else run.flow_run_id
        if self.store is not None and flow_run_id is not None:
            text = traceback_of(error)
            if not state.is_final():
                text = f"Attempt {attempt} failed, and another one follows:\n{text}"
            self.store.log(flow_run_id, run.id, state.at, logging.ERROR, text)

    def commit(self, flow_run: FlowRun) -> None:
        """Return when an outermost flow run's changes are safe; of a subflow run at once.

        Raises ``StoreError`` where they cannot be.
        """
        if self.store is not None and flow_run.parent_id is None:
            self.store.commit(flow_run.id)

    async def commit_async(self, flow_run: FlowRun) -> None:
        """Like :meth:`commit`, for an event loop."""
        if self.store is not None and flow_run.parent_id is None:
            await self.store.commit_async(flow_run.id)

    def secure_end(self, task_run: TaskRun) -> None:
        """Return when the end of a task run is safe. Where it cannot be, its flow run is told to stop."""
        if self.store is not None and task_run.flow_run_id is not None:
            with suppress(StoreError):  # raised where the flow run ends
                self.store.commit(task_run.flow_run_id)
