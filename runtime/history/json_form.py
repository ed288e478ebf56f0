"""Histories as JSON: all that a history holds, and nothing that could run when it is read.

``docs/reference/history-json.md`` describes the form. A document comes from outside, so nothing in it is
believed: what is not exactly a history is refused, with the place where it stops being one.
"""

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from runtime.exceptions import HistoryError
from runtime.history.changes import StateChange
from runtime.history.documents import Value, parse
from runtime.history.steps import numbering_problem, step_problem
from runtime.runs import FlowRun, RunInput, TaskRun
from runtime.states import State, StateType

FORMAT = "flows-history"
VERSION = 1

#: what a calendar can say, in seconds since the epoch
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_799.0


class Parts(NamedTuple):
    """What a history is made of."""

    flow_run: FlowRun
    subflow_runs: tuple[FlowRun, ...]
    changes: tuple[StateChange, ...]


def write(parts: Parts) -> str:
    """The parts as a JSON document, in ASCII."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "flow_run": _flow_run_fields(parts.flow_run),
        "subflow_runs": [_flow_run_fields(run) for run in parts.subflow_runs],
        "task_runs": [_task_run_fields(run) for run in _task_runs_in(parts.changes)],
        "changes": [_change_fields(change) for change in parts.changes],
    }
    return json.dumps(document, allow_nan=False)


def read(document: str | bytes, largest: int) -> Parts:
    """The parts that :func:`write` made ``document`` of. Raises ``HistoryError`` for any other document."""
    top = parse(document, largest)
    _check_version(top.value)
    _, _, flow_run, subflow_runs, task_runs, changes = top.members(
        "format", "version", "flow_run", "subflow_runs", "task_runs", "changes"
    )
    outermost = _flow_run(flow_run)
    flow_runs = _flow_runs(subflow_runs, outermost)
    runs: dict[UUID, FlowRun | TaskRun] = {**flow_runs, **_task_runs(task_runs, flow_runs)}
    return Parts(
        outermost,
        tuple(run for run in flow_runs.values() if run is not outermost),
        _changes(changes, runs, whole=outermost.parent_id is None),
    )


def _flow_run_fields(run: FlowRun) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "name": run.name,
        "flow_name": run.flow_name,
        "n": run.n,
        "flow_version": run.flow_version,
        "parent_id": _text_of(run.parent_id),
        "entry_point": run.entry_point,
        "parameters": run.parameters,
        "code_hash": run.code_hash,
        "created": run.created,
        "tags": run.tags,
    }


def _task_run_fields(run: TaskRun) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "task_name": run.task_name,
        "task_key": run.task_key,
        "n": run.n,
        "flow_run_id": _text_of(run.flow_run_id),
        "parent_id": _text_of(run.parent.id if run.parent is not None else None),
        "title": run.title,
        "tags": run.tags,
        "inputs": [
            {"kind": item.kind, "parameter": item.parameter, "task_run_id": str(item.task_run)}
            for item in run.inputs
        ],
    }


def _change_fields(change: StateChange) -> dict[str, Any]:
    return {
        "index": change.index,
        "run_id": str(change.run.id),
        "type": change.state.type.value,
        "name": change.state.name,
        "message": change.state.message,
        "at": change.at,
        "elapsed": change.elapsed,
        "attempt": change.attempt,
        "run_count": change.run_count,
        "worker": change.worker,
    }


def _task_runs_in(changes: Iterable[StateChange]) -> Iterable[TaskRun]:
    """The task runs that the changes are of, each after the one that submitted it."""
    found: dict[UUID, TaskRun] = {}
    for change in changes:
        run = change.run if isinstance(change.run, TaskRun) else None
        line: list[TaskRun] = []
        while run is not None and run.id not in found:
            line.append(run)
            run = run.parent
        found.update((run.id, run) for run in reversed(line))
    return found.values()


def _text_of(run_id: UUID | None) -> str | None:
    return None if run_id is None else str(run_id)


def _check_version(document: object) -> None:
    fields = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    if fields.get("format") != FORMAT:
        raise HistoryError(f"This is not a history: it has no member 'format' that says {FORMAT!r}.")
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        raise HistoryError(
            f"This history is of version {version!r}; only version {VERSION} can be read here."
        )


def _flow_run(value: Value) -> FlowRun:
    run_id, name, flow_name, n, version, parent, entry, parameters, code, created, tags = value.members(
        "id",
        "name",
        "flow_name",
        "n",
        "flow_version",
        "parent_id",
        "entry_point",
        "parameters",
        "code_hash",
        "created",
        "tags",
    )
    return FlowRun(
        id=run_id.identity(),
        name=name.text(),
        flow_name=flow_name.text(),
        n=n.whole(),
        flow_version=version.optional(Value.text),
        parent_id=parent.optional(Value.identity),
        entry_point=entry.text(),
        parameters=parameters.text(),
        code_hash=code.text(),
        created=created.number(_EARLIEST, _LATEST),
        tags=tuple(tag.text() for tag in tags.items()),
    )


def _flow_runs(values: Value, outermost: FlowRun) -> dict[UUID, FlowRun]:
    """The flow run and its subflow runs by id, each after its parent."""
    runs = {outermost.id: outermost}
    for value in values.items():
        run = _flow_run(value)
        if run.id in runs:
            raise value.wrong(f"the run {run.id} is there already")
        if run.parent_id not in runs:
            raise value.wrong(f"its parent {run.parent_id} is not a flow run before it")
        runs[run.id] = run
    return runs


def _task_runs(values: Value, flow_runs: dict[UUID, FlowRun]) -> dict[UUID, TaskRun]:
    """The task runs by id, each after the one that submitted it."""
    runs: dict[UUID, TaskRun] = {}
    for value in values.items():
        run_id, task_name, task_key, n, flow_run_id, parent_id, title, tags, inputs = value.members(
            "id", "task_name", "task_key", "n", "flow_run_id", "parent_id", "title", "tags", "inputs"
        )
        parent = parent_id.optional(Value.identity)
        if parent is not None and parent not in runs:
            raise parent_id.wrong(f"{parent} is not a task run before it")
        run = TaskRun(
            run_id.identity(),
            task_name.text(),
            task_key.text(),
            n.whole(),
            flow_run_id.optional(Value.identity),
            None if parent is None else runs[parent],
            title.optional(Value.text),
            tuple(tag.text() for tag in tags.items()),
            tuple(_run_input(item) for item in inputs.items()),
        )
        if run.id in runs or run.id in flow_runs:
            raise run_id.wrong(f"the run {run.id} is there already")
        if run.flow_run_id is not None and run.flow_run_id not in flow_runs:
            raise flow_run_id.wrong(f"no flow run has the id {run.flow_run_id}")
        runs[run.id] = run
    return runs


def _run_input(value: Value) -> RunInput:
    kind, parameter, task_run_id = value.members("kind", "parameter", "task_run_id")
    chosen = cast("Literal['data', 'wait_for']", kind.one_of({"data", "wait_for"}))
    return RunInput(chosen, parameter.text(), task_run_id.identity())


def _changes(values: Value, runs: dict[UUID, FlowRun | TaskRun], *, whole: bool) -> tuple[StateChange, ...]:
    changes: list[StateChange] = []
    latest: dict[UUID, StateChange] = {}
    for value in values.items():
        change = _change(value, runs)
        before = changes[-1] if changes else None
        problem = numbering_problem(before, change, whole=whole) or step_problem(
            latest.get(change.run.id), change
        )
        if problem is not None:
            raise value.wrong(problem)
        changes.append(change)
        latest[change.run.id] = change
    return tuple(changes)


def _change(value: Value, runs: dict[UUID, FlowRun | TaskRun]) -> StateChange:
    index, run_id, kind, name, message, at, elapsed, attempt, run_count, worker = value.members(
        "index", "run_id", "type", "name", "message", "at", "elapsed", "attempt", "run_count", "worker"
    )
    run = runs.get(run_id.identity())
    if run is None:
        raise run_id.wrong(f"no run has the id {run_id.value}")
    moment = at.number(_EARLIEST, _LATEST)
    return StateChange(
        run,
        index.whole(),
        State(StateType(kind.one_of(_STATE_TYPES)), name.text(), message.optional(Value.text), None, moment),
        moment,
        elapsed.number(0.0),
        attempt.whole(),
        run_count.whole(least=1),
        worker.optional(Value.text),
    )


_STATE_TYPES = frozenset(kind.value for kind in StateType)
