"""What happened: the histories of runs, which state changes make up."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import overload
from uuid import UUID

from runtime.exceptions import AmbiguousRunName
from runtime.history import json_form
from runtime.history.changes import StateChange
from runtime.runs import FlowRun, TaskRun
from runtime.states import State, StateType


class StateHistory:
    """The state changes of one run, in order."""

    def __init__(self, changes: Iterable[StateChange]) -> None:
        self._changes = tuple(changes)

    @property
    def names(self) -> list[str]:
        """The states' names: ``["Pending", "Running", "Completed"]``."""
        return [change.state.name for change in self._changes]

    @property
    def types(self) -> list[StateType]:
        """The states' types."""
        return [change.state.type for change in self._changes]

    @property
    def states(self) -> list[State]:
        """The states themselves."""
        return [change.state for change in self._changes]

    @property
    def run(self) -> FlowRun | TaskRun:
        """The run whose history this is."""
        return self._changes[0].run

    @property
    def final(self) -> State | None:
        """The last state, if nothing can follow it."""
        last = self._changes[-1].state
        return last if last.is_final() else None

    def __iter__(self) -> Iterator[StateChange]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    @overload
    def __getitem__(self, index: int) -> StateChange: ...
    @overload
    def __getitem__(self, index: slice) -> "StateHistory": ...
    def __getitem__(self, index: int | slice) -> "StateChange | StateHistory":
        return StateHistory(self._changes[index]) if isinstance(index, slice) else self._changes[index]

    def __contains__(self, item: object) -> bool:
        """Whether a state, or a state of this name or type, occurs."""
        if isinstance(item, StateType):
            return item in self.types
        if isinstance(item, str):
            return item in self.names
        return item in self.states or item in self._changes

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StateHistory):
            return self._changes == other._changes
        if isinstance(other, list):
            return self.names == other
        return NotImplemented

    __hash__ = None  # pyright: ignore[reportAssignmentType] - equal to lists, which have none

    def __repr__(self) -> str:
        return f"<StateHistory {' -> '.join(self.names)}>"


class FlowRunHistory:
    """All state changes of a flow run, its task runs and its subflow runs, in order.

    ``history["add-0"]`` is the history of one run, by short name, by full name, or by id.
    """

    def __init__(
        self, flow_run: FlowRun, changes: Iterable[StateChange], subflow_runs: Iterable[FlowRun] = ()
    ) -> None:
        self.flow_run = flow_run
        self._changes = tuple(changes)
        self._subflow_runs = {run.id: run for run in subflow_runs}
        self._by_run: dict[UUID, list[StateChange]] = {}
        for change in self._changes:
            self._by_run.setdefault(change.run.id, []).append(change)

    @property
    def states(self) -> StateHistory:
        """The flow run's own history."""
        return StateHistory(self._by_run.get(self.flow_run.id, ()))

    @property
    def task_runs(self) -> list[TaskRun]:
        """All task runs, those of subflows too, in the order in which they were submitted."""
        return [run for run in self._runs() if isinstance(run, TaskRun)]

    @property
    def subflow_runs(self) -> list[FlowRun]:
        """The runs of flows that this run called, and those called in turn."""
        return list(self._subflow_runs.values())

    def path(self, run: FlowRun | TaskRun) -> str:
        """The short name of a run as seen from this one: ``add-0``, ``child-flow-0/add-0``."""
        names = [run.short_name]
        owner = self._owner(run)
        while owner is not None:
            names.append(owner.short_name)
            owner = self._owner(owner)
        return "/".join(reversed(names))

    def outline(self) -> "dict[str, list[tuple[State, int, int]]]":
        """State, attempt and run count of each change of each run, by its short name; "" is the flow run.

        Ids in messages are replaced by short names, so that two runs of one flow have the same outline. Runs
        that share a short name are told apart by their order: ``add-0``, ``add-0 (2)``.
        """
        outline: dict[str, list[tuple[State, int, int]]] = {}
        namesakes: Counter[str] = Counter()
        for run_id, changes in self._by_run.items():
            name = "" if run_id == self.flow_run.id else self.path(changes[0].run)
            namesakes[name] += 1
            outline[name if namesakes[name] == 1 else f"{name} ({namesakes[name]})"] = [
                (self._without_ids(change.state), change.attempt, change.run_count) for change in changes
            ]
        return outline

    def to_json(self) -> str:
        """The history as a JSON document, which :meth:`from_json` reads back exactly."""
        return json_form.write(json_form.Parts(self.flow_run, tuple(self.subflow_runs), self._changes))

    @classmethod
    def from_json(cls, document: str | bytes, *, largest: int = 100_000_000) -> "FlowRunHistory":
        """The history that a JSON document holds. It may come from anywhere: nothing in it is run.

        Raises ``HistoryError``, which says what is wrong and where, for anything but a history, and for a
        document of more than ``largest`` characters, which may take 25 times as much memory to read.
        """
        flow_run, subflow_runs, changes = json_form.read(document, largest)
        return cls(flow_run, changes, subflow_runs)

    def __getitem__(self, name: str | UUID) -> StateHistory:
        """The history of the run called ``name``. The number of a subflow may be left out where one ran.

        Raises ``KeyError`` for a name that fits none, ``AmbiguousRunName`` for one that fits several.
        """
        if isinstance(name, UUID):
            return StateHistory(self._by_run[name])
        found = [run for run in self._runs() if name in self._names(run)]
        if not found:
            known = ", ".join(self.path(run) for run in self._runs())
            raise KeyError(f"No run is called {name!r}. There are: {known or 'none'}")
        if len(found) > 1:
            fits = ", ".join(f"{self.path(run)} ({run.id})" for run in found)
            raise AmbiguousRunName(f"{name!r} fits several runs: {fits}")
        return StateHistory(self._by_run[found[0].id])

    def __contains__(self, name: object) -> bool:
        if isinstance(name, UUID):
            return name in self._by_run
        return any(name in self._names(run) for run in self._runs())

    def __iter__(self) -> Iterator[StateChange]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        """Whether the same runs went through the same states, in whatever interleaving."""
        if not isinstance(other, FlowRunHistory):
            return NotImplemented
        return self.outline() == other.outline()

    __hash__ = None  # pyright: ignore[reportAssignmentType] - made of lists

    def __repr__(self) -> str:
        runs = ", ".join(f"{self.path(run)}: {self[run.id].names[-1]}" for run in self._runs())
        return f"<FlowRunHistory of {self.flow_run.name} {runs}>"

    def _runs(self) -> list[FlowRun | TaskRun]:
        return [changes[0].run for run_id, changes in self._by_run.items() if run_id != self.flow_run.id]

    def _owner(self, run: FlowRun | TaskRun) -> FlowRun | None:
        """The subflow run that a run is part of; None for one of the flow run itself."""
        owner = run.flow_run_id if isinstance(run, TaskRun) else run.parent_id
        return self._subflow_runs.get(owner) if owner is not None else None

    def _names(self, run: FlowRun | TaskRun) -> set[str]:
        path = self.path(run)
        names = {path, run.name, str(run.id)}
        owners, _, last = path.rpartition("/")
        unnumbered = "/".join(owner.rpartition("-")[0] for owner in owners.split("/")) if owners else ""
        if isinstance(run, FlowRun):
            names.add(path.rpartition("-")[0])
        elif unnumbered and run.parent is None:
            names.add(f"{unnumbered}/{last}")
        return names

    def _without_ids(self, state: State) -> State:
        if state.message is None:
            return state
        message = _ID.sub(lambda found: self._name_of(UUID(found[0])), state.message)
        return State(state.type, state.name, message)

    def _name_of(self, run_id: UUID) -> str:
        changes = self._by_run.get(run_id)
        return str(run_id) if changes is None else self.path(changes[0].run)


_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
