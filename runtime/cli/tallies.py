"""Counting task runs by task and state while a flow runs."""

import threading
from collections import Counter
from uuid import UUID

from runtime.history import StateChange
from runtime.hooks import hookimpl
from runtime.runs import FlowRun, TaskRun


class RunTallies:
    """Hears of all state changes and knows how many task runs are in which state now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[UUID, str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        #: the latest change of an outermost flow run
        self.flow_change: StateChange | None = None

    @hookimpl
    def flows_state_change(self, change: StateChange) -> None:
        """Count."""
        run, state = change.run, change.state.name
        if isinstance(run, FlowRun):
            if run.parent_id is None:
                self.flow_change = change
            return
        with self._lock:
            self._move(run, state)

    def by_state(self) -> Counter[str]:
        """How many task runs are in each state."""
        with self._lock:
            counts: Counter[str] = Counter()
            for (_, state), count in self._counts.items():
                counts[state] += count
        return counts

    def by_task(self) -> dict[str, Counter[str]]:
        """How many runs of each task are in each state; tasks in the order in which they first ran."""
        table: dict[str, Counter[str]] = {}
        with self._lock:
            for (task, state), count in self._counts.items():
                table.setdefault(task, Counter())[state] += count
        return table

    def _move(self, run: TaskRun, state: str) -> None:
        before = self._states.get(run.id)
        if before is not None:
            self._counts[run.task_name, before] -= 1
        self._states[run.id] = state
        self._counts[run.task_name, state] += 1
