"""Which change may follow which in a history, whether or not its runs have ended."""

from runtime.exceptions import IllegalTransition
from runtime.history.changes import StateChange
from runtime.lifecycle.transitions import check_transition
from runtime.runs import TaskRun


def numbering_problem(before: StateChange | None, after: StateChange, *, whole: bool) -> str | None:
    """What is wrong with the place of a change after the one ``before`` it, of whichever runs.

    ``whole``: the history is that of an outermost flow run, so that no number may be left out.
    """
    if before is None:
        return f"the first change is numbered {after.index}" if whole and after.index else None
    gap = after.index - before.index
    if gap < 1 or (gap > 1 and whole):
        return f"{after} follows {before}: the numbers are not consecutive"
    if after.elapsed < before.elapsed:
        return f"{after} follows {before}: time ran backwards"
    return None


def step_problem(before: StateChange | None, after: StateChange) -> str | None:
    """What is wrong with a change of a run after the one ``before`` it of the same run."""
    if before is not None and after.run_count < before.run_count:
        return f"run count {after.run_count} follows {before.run_count}"
    anew = before is None or after.run_count > before.run_count
    if anew and before is not None and not before.state.is_settled():
        if isinstance(after.run, TaskRun):
            return f"it had not settled in run count {before.run_count} when the next one began"
        anew = False  # a flow run goes on to its next run count by itself
    if not anew and before is not None and after.attempt < before.attempt:
        return f"attempt {after.attempt} follows {before.attempt}"
    try:
        check_transition(None if anew or before is None else before.state, after.state)
    except IllegalTransition as error:
        return str(error)
    return None
