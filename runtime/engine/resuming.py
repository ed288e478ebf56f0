"""A flow run of an earlier process whose function is called again: which runs of it are which."""

from uuid import UUID

from runtime.engine.scopes import EarlierRun, Place
from runtime.history import FlowRunHistory
from runtime.runs import FlowRun, TaskRun
from runtime.states import Crashed

#: Nothing of that process is left but what was written down: a result is looked up where the task would run.
_LEFT = Crashed("The process that it ran in is gone.")


def earlier_run(history: FlowRunHistory) -> EarlierRun:
    """The flow run, with all in it, as a run of an earlier run count. None of these counts as completed."""
    within: dict[UUID, dict[Place, EarlierRun]] = {
        run.id: {} for run in (history.flow_run, *history.subflow_runs)
    }
    # Subflow runs after those in them: each keeps the mapping, which is filled whatever the order.
    for run in (*history.task_runs, *history.subflow_runs):
        if run.id not in history:  # its process was gone before it had a state
            continue
        count = history[run.id][-1].run_count
        if isinstance(run, FlowRun):
            owner, place = run.parent_id, (run.flow_name, None, run.n)
        else:
            owner, place = run.flow_run_id, _place_of(run)
        if owner is not None:
            within[owner][place] = EarlierRun(run, _LEFT, count, within.get(run.id, {}))
    return EarlierRun(history.flow_run, _LEFT, history.states[-1].run_count, within[history.flow_run.id])


def _place_of(run: TaskRun) -> Place:
    submitter = run.parent.id if run.parent is not None else None
    return f"{run.task_name}-{run.task_key}", submitter, run.n
