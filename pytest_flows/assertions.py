"""Assertions on histories, with messages that show what happened instead."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import cast
from uuid import UUID

from pytest_flows.differences import differences
from pytest_flows.patterns import Entry, described, deviation
from pytest_flows.timelines import arrows, timeline
from runtime.history import FlowRunHistory, StateChange, StateHistory
from runtime.runs import TaskRun


def assert_history(
    history: FlowRunHistory | StateHistory, *expected: "Entry | Mapping[str, Sequence[Entry]]"
) -> None:
    """Assert that a run went through the states ``expected``, and no others; or that each of several did.

    ``assert_history(history["add-0"], "Pending", "Running", "Completed")`` is about one run, or about the
    flow run itself. ``assert_history(history, {"add-0": [...], "fetch-*": [...]})`` is about the runs that
    have, or fit, these short names; at least one must, and others may do what they like.

    An entry is the name or the type of a state, a set of those of which one is meant, ``...`` for any number
    of states, or what :func:`pytest_flows.repeated` gives, such as ``RETRIES``.
    """
    by_name = next(iter(expected), None)
    if isinstance(by_name, Mapping):
        if len(expected) > 1 or not isinstance(history, FlowRunHistory):
            raise TypeError("assert_history(history, {name: states}) takes a flow run's history and one dict")
        problems = [
            problem for name, states in by_name.items() for problem in _problems(history, name, states)
        ]
    else:
        own = history.states if isinstance(history, FlowRunHistory) else history
        problems = _deviations([own], cast("Sequence[Entry]", expected))
    if problems:
        raise AssertionError("\n\n".join(problems))


def assert_ran_before(history: FlowRunHistory, first: str, second: str) -> None:
    """Assert that the run ``first`` had settled when the run ``second`` began to run."""
    settled = next((change for change in history[first] if change.state.is_settled()), None)
    began = next(_begins(history[second]), None)
    if settled is None:
        _fail(f"{first} never ended, so it was not before {second}", history)
    elif began is None:
        _fail(f"{second} never ran, so {first} was not before it", history)
    elif settled.index > began.index:
        marks = {settled.index: f"{first} ended", began.index: f"{second} had begun"}
        _fail(f"{first} had not ended before {second} ran", history, marks)


def assert_overlapped(history: FlowRunHistory, first: str, second: str) -> None:
    """Assert that both runs were running at some moment."""
    for begin, end in _attempts(history[first]):
        for other_begin, other_end in _attempts(history[second]):
            if begin < other_end and other_begin < end:
                return
    _fail(f"{first} and {second} never ran at the same time", history)


def assert_max_concurrency(history: FlowRunHistory, limit: int, task: str | None = None) -> None:
    """Assert that never more than ``limit`` task runs, or runs of ``task``, were running.

    As the history heard of it: a runner elsewhere may tell of a start before it tells of an end.
    """
    most = max_concurrency(history, task)
    if most > limit:
        index, names = next(crowd for crowd in _crowds(history, task) if len(crowd[1]) == most)
        marks = {index: f"{', '.join(names)} were running"}
        _fail(f"{most} task runs ran at the same time, more than {limit}", history, marks)


def max_concurrency(history: FlowRunHistory, task: str | None = None) -> int:
    """How many task runs, or runs of ``task``, were running at the same time, at most."""
    return max((len(running) for _, running in _crowds(history, task)), default=0)


def assert_retried(history: FlowRunHistory, name: str, times: int | None = None) -> None:
    """Assert that the run called ``name`` was tried again: so many times, or at all."""
    retries = history[name].names.count("AwaitingRetry")
    if (times is None and retries == 0) or (times is not None and retries != times):
        wanted = "at least once" if times is None else f"{times} times"
        message = f"{name} was tried again {retries} times, not {wanted}"
        raise AssertionError("\n".join([message, *timeline(history[name])]))


def assert_never_ran(history: FlowRunHistory, *names: str) -> None:
    """Assert that no run called so, or fitting a name such as ``"fetch-*"``, ever began."""
    for run in [*history.task_runs, *history.subflow_runs]:
        if any(fnmatchcase(history.path(run), name) for name in names):
            began = next(_begins(history[run.id]), None)
            if began is not None:
                _fail(f"{history.path(run)} ran", history, {began.index: "here"})


def assert_same_outcome(*histories: FlowRunHistory) -> None:
    """Assert that the same runs went through the same states with the same messages.

    Whenever, wherever and in whatever interleaving: so one flow is compared between task runners.
    """
    for number, other in enumerate(histories[1:], start=2):
        lines = differences(histories[0], other)
        if lines:
            raise AssertionError("\n".join([f"The outcomes differ, 1 (-) and {number} (+)", *lines]))


def _problems(history: FlowRunHistory, name: str, states: Sequence[Entry]) -> list[str]:
    runs = [*history.task_runs, *history.subflow_runs]
    if name == "":
        found = [history.states]
    elif name in history:
        found = [history[name]]
    else:
        found = [history[run.id] for run in runs if fnmatchcase(history.path(run), name)]
    if not found:
        there = ", ".join(history.path(run) for run in runs)
        return [f"{name}: there is no such run. There are: {there or 'none'}"]
    return _deviations(found, states)


def _deviations(histories: Sequence[StateHistory], pattern: Sequence[Entry]) -> list[str]:
    problems: list[str] = []
    for own in histories:
        found = deviation(own, pattern)
        if found is not None:
            wanted = arrows(map(described, pattern))
            lines = timeline(
                own, {found.position: _instead(found.expected)} if found.position < len(own) else {}
            )
            if found.position == len(own):
                lines.append(f"{'':11}  <- {_instead(found.expected)}")
            name = own.run.short_name if len(own) else "The run"
            problems.append("\n".join([f"{name} went {arrows(own.names)}, not {wanted}", *lines]))
    return problems


def _instead(expected: Sequence[str]) -> str:
    return f"expected {' or '.join(expected)}"


def _begins(history: StateHistory) -> Iterator[StateChange]:
    return (change for change in history if change.state.is_running())


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


def _crowds(history: FlowRunHistory, task: str | None) -> Iterator[tuple[int, list[str]]]:
    """The index of each change by which a task run began, and the names of those that were running then."""
    running: dict[UUID, str] = {}
    for change in history:
        run = change.run
        if not isinstance(run, TaskRun) or task not in (None, run.task_name):
            continue
        if change.state.is_running():
            running[run.id] = history.path(run)
            yield change.index, list(running.values())
        elif not change.state.is_cancelling():
            running.pop(run.id, None)


def _fail(message: str, history: FlowRunHistory, marks: dict[int, str] | None = None) -> None:
    raise AssertionError("\n".join([message, *timeline(history, marks)]))
