"""Assertions on histories, with messages that show what happened instead."""

from collections.abc import Iterable
from uuid import UUID

from runtime.history import FlowRunHistory, StateChange, StateHistory
from runtime.runs import TaskRun


def assert_history(history: FlowRunHistory | StateHistory, *names: str) -> None:
    """Assert that a run went through the states called ``names``, and no others.

    ``history`` is that of one run, as in ``history["add-0"]``, or of a flow run, whose own states count.
    """
    own = history.states if isinstance(history, FlowRunHistory) else history
    if own.names != list(names):
        raise AssertionError(
            f"{own.run.name} went {_arrows(own.names)}, not {_arrows(names)}\n{_timeline(own)}"
        )


def assert_ran_before(history: FlowRunHistory, first: str, second: str) -> None:
    """Assert that the run ``first`` had settled when the run ``second`` began to run."""
    settled = next((change for change in history[first] if change.state.is_settled()), None)
    began = next(iter(_begins(history[second])), None)
    if settled is None or began is None or settled.index > began.index:
        raise AssertionError(f"{first} had not ended before {second} ran\n{_timeline(history)}")


def assert_overlapped(history: FlowRunHistory, first: str, second: str) -> None:
    """Assert that both runs were running at some moment."""
    for begin, end in _attempts(history[first]):
        for other_begin, other_end in _attempts(history[second]):
            if begin < other_end and other_begin < end:
                return
    raise AssertionError(f"{first} and {second} never ran at the same time\n{_timeline(history)}")


def assert_max_concurrency(history: FlowRunHistory, limit: int, task: str | None = None) -> None:
    """Assert that never more than ``limit`` task runs, or runs of ``task``, were running.

    As the history heard of it: a runner elsewhere may tell of a start before it tells of an end.
    """
    running: set[UUID] = set()
    for change in history:
        run = change.run
        if not isinstance(run, TaskRun) or task not in (None, run.task_name):
            continue
        if change.state.is_running():
            running.add(run.id)
        elif not change.state.is_cancelling():
            running.discard(run.id)
        if len(running) > limit:
            raise AssertionError(f"{len(running)} task runs ran at the same time\n{_timeline(history)}")


def assert_same_outcome(*histories: FlowRunHistory) -> None:
    """Assert that the same runs went through the same states with the same messages.

    Whenever, wherever and in whatever interleaving: so one flow is compared between task runners.
    """
    for other in histories[1:]:
        expected, found = histories[0].outline(), other.outline()
        differences = [
            f"{path or 'the flow'}: {expected.get(path, 'no run')}, but also {found.get(path, 'no run')}"
            for path in dict.fromkeys([*expected, *found])
            if expected.get(path) != found.get(path)
        ]
        if differences:
            raise AssertionError("The outcomes differ\n" + "\n".join(differences))


def _begins(history: StateHistory) -> list[StateChange]:
    return [change for change in history if change.state.is_running()]


def _attempts(history: StateHistory) -> list[tuple[int, int]]:
    """Between which changes of the flow run each attempt ran."""
    attempts: list[tuple[int, int]] = []
    begin: int | None = None
    for change in history:
        if change.state.is_running():
            begin = change.index
        elif begin is not None and not change.state.is_cancelling():
            attempts.append((begin, change.index))
            begin = None
    return attempts


def _arrows(names: Iterable[str]) -> str:
    return " -> ".join(names) or "nowhere"


def _timeline(history: Iterable[StateChange]) -> str:
    return "\n".join(f"  {change!r}" for change in history)
