"""Histories as text: one line for each change of state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.history import FlowRunHistory, StateChange, StateHistory
    from runtime.runs import FlowRun, TaskRun

#: enough to see what went wrong, where thousands of task runs would hide it
LINES = 60


def timeline(history: "FlowRunHistory | StateHistory", marks: Mapping[int, str] | None = None) -> list[str]:
    """When each change happened, of which run, to which state, where. ``marks`` are remarks by position.

    The middle of a long history is left out, except where it is marked.
    """
    lines = each_change(history)
    for position, mark in (marks or {}).items():
        lines[position] += f"  <- {mark}"
    return shortened(lines, marks or ())


def each_change(history: "FlowRunHistory | StateHistory") -> list[str]:
    """One line for each change of state."""
    path: Callable[..., str] = getattr(history, "path", _short_name)
    changes = list(history)
    width = max((len(path(change.run)) for change in changes), default=0)
    return [_line(change, path(change.run), width) for change in changes]


def shortened(lines: Sequence[str], kept: Iterable[int] = ()) -> list[str]:
    """The beginning and the end of many lines, and those that are to be ``kept``."""
    if len(lines) <= LINES:
        return list(lines)
    shown = {*range(LINES // 2), *kept, *range(len(lines) - LINES // 2, len(lines))}
    shortened: list[str] = []
    before = -1
    for position in sorted(shown):
        if position > before + 1:
            shortened.append(f"... {position - before - 1} more ...")
        shortened.append(lines[position])
        before = position
    return shortened


def arrows(names: Iterable[str]) -> str:
    """The way that a run went, in one line."""
    return " -> ".join(names) or "nowhere"


def _short_name(run: "FlowRun | TaskRun") -> str:
    return run.short_name


def _line(change: "StateChange", name: str, width: int) -> str:
    state = change.state
    where = f"  on {change.worker}" if change.worker and state.is_running() else ""
    message = f"  {state.message}" if state.message else ""
    return f"{change.elapsed:9.3f} s  {name:{width}}  {state.name}{where}{message}"
