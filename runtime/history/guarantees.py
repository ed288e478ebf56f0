"""What is true of every history, however its runs ended: checked after the fact, on the history alone.

A run that was lost, reported twice or raced with itself leaves a trace that this module finds.
"""

from collections.abc import Iterator
from uuid import UUID

from runtime.history.changes import StateChange
from runtime.history.records import FlowRunHistory, StateHistory
from runtime.history.steps import numbering_problem, step_problem
from runtime.runs import FlowRun, TaskRun


def violations(history: FlowRunHistory) -> list[str]:
    """What is wrong with the history of a flow run that has ended, in words; nothing, if all is well.

    Every run settled, exactly once in each run count, by legal steps; changes are numbered without a
    gap, on a clock that never runs back; nothing ran before its upstream or outlived its flow run.
    """
    return [*_numbering(history), *_steps(history), *_upstream(history), *_enclosure(history)]


def _numbering(history: FlowRunHistory) -> Iterator[str]:
    before: StateChange | None = None
    for after in history:
        problem = numbering_problem(before, after, whole=history.flow_run.parent_id is None)
        if problem is not None:
            yield problem
        before = after


def _steps(history: FlowRunHistory) -> Iterator[str]:
    if not history.states:
        yield f"flow run '{history.flow_run.name}' has no state"
    for changes in _each_run(history):
        name = history.path(changes.run)
        before: StateChange | None = None
        for after in changes:
            problem = step_problem(before, after)
            if problem is not None:
                yield f"{name} ({' -> '.join(changes.names)}): {problem}"
            before = after
        if before is not None and not before.state.is_settled():
            yield f"{name} ({' -> '.join(changes.names)}): it never settled"


def _upstream(history: FlowRunHistory) -> Iterator[str]:
    settled = _settled(history)
    for changes in _each_run(history):
        run = changes.run
        if not isinstance(run, TaskRun):
            continue
        began = next((change for change in changes if change.state.is_running()), None)
        if began is None:
            continue
        for upstream in dict.fromkeys(item.task_run for item in run.inputs):
            if upstream in settled and settled[upstream].index > began.index:
                name = history.path(settled[upstream].run)
                yield f"{history.path(run)} ran before its upstream {name} had settled"


def _enclosure(history: FlowRunHistory) -> Iterator[str]:
    ends = {
        changes.run.id: changes[-1].index
        for changes in _each_run(history)
        if isinstance(changes.run, FlowRun)
    }
    for changes in _each_run(history):
        run = changes.run
        owner = run.parent_id if isinstance(run, FlowRun) else run.flow_run_id
        if owner is not None and owner in ends and changes[-1].index > ends[owner]:
            yield f"{history.path(run)} was still at it when its flow run had ended"


def _settled(history: FlowRunHistory) -> dict[UUID, StateChange]:
    """The change with which each run settled first."""
    settled: dict[UUID, StateChange] = {}
    for change in history:
        if change.state.is_settled():
            settled.setdefault(change.run.id, change)
    return settled


def _each_run(history: FlowRunHistory) -> Iterator[StateHistory]:
    if history.states:
        yield history.states
    for run in (*history.subflow_runs, *history.task_runs):
        if run.id in history:
            yield history[run.id]
