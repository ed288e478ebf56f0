"""The pen that the engine writes histories with: numbers the changes of one flow run and its subflows."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from runtime.clocks import Clock
from runtime.history.changes import StateChange
from runtime.history.stores import HistoryStore
from runtime.runs import FlowRun, TaskRun
from runtime.states import State

Listener = Callable[[StateChange], None]


class Journal:
    """Writes the changes of one outermost flow run, with all in it, to a store, in order.

    ``lock`` guards the index, and with it everything about the runs that follows from events:
    whoever handles an event holds it from hearing the event until its changes are written.
    """

    __slots__ = ("_began", "_index", "clock", "listeners", "lock", "store")

    def __init__(
        self,
        clock: Clock,
        store: HistoryStore | None,
        lock: AbstractContextManager[object],
        listeners: tuple[Listener, ...] = (),
    ) -> None:
        self.clock = clock
        self.store = store
        #: called after each change, without the lock
        self.listeners = listeners
        #: reentrant: a finaliser of the user's may run while it is held, and cancel a future
        self.lock = lock
        self._began = clock.monotonic()
        self._index = 0

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
        self._index += 1  # last: what could not be appended takes no number
        return change
