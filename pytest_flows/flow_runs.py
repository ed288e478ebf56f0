"""The flow runs of one test, as the fixture ``flow_runs`` gives them."""

from collections.abc import Sequence
from typing import overload
from uuid import UUID

from runtime.context import current_environment
from runtime.exceptions import AmbiguousRunName
from runtime.history import FlowRunHistory, HistoryStore


class FlowRuns(Sequence[FlowRunHistory]):
    """Histories of outermost flow runs, oldest first, by position, by name, or by id.

    In a simulated run, those of that run.
    """

    @property
    def _store(self) -> HistoryStore:
        return current_environment().store

    @overload
    def __getitem__(self, index: int | str | UUID) -> FlowRunHistory: ...
    @overload
    def __getitem__(self, index: slice) -> list[FlowRunHistory]: ...
    def __getitem__(self, index: int | slice | str | UUID) -> FlowRunHistory | list[FlowRunHistory]:
        """The history at a position, or of the one run that has this flow name, run name or id.

        Raises ``IndexError``, ``KeyError``, or ``AmbiguousRunName`` where several runs have the name.
        """
        if isinstance(index, str | UUID):
            return self._named(str(index))
        runs = self._store.flow_runs()
        if isinstance(index, slice):
            return [self._store.history(run.id) for run in runs[index]]
        if not -len(runs) <= index < len(runs):
            raise IndexError(f"There is no flow run {index}; this test ran {self._listed()}")
        return self._store.history(runs[index].id)

    def __len__(self) -> int:
        return len(self._store.flow_runs())

    def __repr__(self) -> str:
        return f"<FlowRuns: {self._listed()}>"

    def _named(self, name: str) -> FlowRunHistory:
        found = [run for run in self._store.flow_runs() if name in {run.flow_name, run.name, str(run.id)}]
        if not found:
            raise KeyError(f"No flow run is called {name!r}; this test ran {self._listed()}")
        if len(found) > 1:
            runs = ", ".join(run.name for run in found)
            raise AmbiguousRunName(
                f"{name!r} fits {len(found)} flow runs: {runs}. Ask by position or run name."
            )
        return self._store.history(found[0].id)

    def _listed(self) -> str:
        histories = [self._store.history(run.id) for run in self._store.flow_runs()]
        return ", ".join(_described(history) for history in histories) or "no flows"


def _described(history: FlowRunHistory) -> str:
    run = history.flow_run
    state = history.states.names[-1] if len(history.states) else "not begun"
    return f"{run.flow_name} '{run.name}' {state} ({len(history.task_runs)} task runs)"
