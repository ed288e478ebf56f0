"""How histories differ, told so that people see it: for assertions, and for plain ``==`` and ``in``."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import cast

from pytest_flows.timelines import arrows, each_change, shortened, timeline
from runtime.history import FlowRunHistory, StateHistory
from runtime.states import State, StateType

#: what ``outline()`` says of a change: its state, attempt and run count
_Said = tuple[State, int, int]


def explanation(op: str, left: object, right: object) -> list[str] | None:
    """What pytest says of a comparison that failed; None for one that is not about histories."""
    if op == "==" and isinstance(left, FlowRunHistory) and isinstance(right, FlowRunHistory):
        return ["the flow runs had the same outcome", *differences(left, right)]
    if op == "==" and isinstance(left, StateHistory):
        return _of_states(left, right)
    if op == "==" and isinstance(right, StateHistory):
        return _of_states(right, left)
    if op in {"in", "not in"} and isinstance(right, StateHistory):
        what = str(left.value) if isinstance(left, StateType) else str(left)
        way = f"was {what} at some time" if op == "in" else f"was never {what}"
        return [f"{_name(right)} {way}", *timeline(right)]
    if op in {"in", "not in"} and isinstance(right, FlowRunHistory):
        runs = [right.path(run) for run in [*right.task_runs, *right.subflow_runs]]
        claim = f"{right.flow_run.flow_name} had {'a' if op == 'in' else 'no'} run called {left!r}"
        return [claim, *shortened(["there were:", *(f"  {run}" for run in runs)])]
    return None


def differences(first: FlowRunHistory, other: FlowRunHistory) -> list[str]:
    """The runs whose way was another one, as lines that begin with ``-`` (first) and ``+`` (other)."""
    expected, found = first.outline(), other.outline()
    lines: list[str] = []
    for name in dict.fromkeys([*expected, *found]):
        ours, theirs = expected.get(name), found.get(name)
        if ours != theirs:
            told, told_too = _told(ours, theirs), _told(theirs, ours)
            lines += [f"  {name or first.flow_run.flow_name}", f"- {told}", f"+ {told_too}"]
    return shortened(lines)


def _told(changes: "Sequence[_Said] | None", others: "Sequence[_Said] | None") -> str:
    """The names of the states; more is said of those that another history has otherwise."""
    if changes is None:
        return "no run"
    parts: list[str] = []
    for position, (state, attempt, run_count) in enumerate(changes):
        other = others[position] if others is not None and position < len(others) else None
        if other is None or other[0].name != state.name or other == changes[position]:
            parts.append(state.name)
        elif other[0] != state:
            parts.append(f"{state.name} ({state.message or 'no message'})")
        else:
            parts.append(f"{state.name} (attempt {attempt}, run count {run_count})")
    return arrows(parts)


def _of_states(history: StateHistory, other: object) -> list[str] | None:
    """The way of a run with what was expected of it, as a diff."""
    if isinstance(other, StateHistory):
        expected = other.names
    elif isinstance(other, list):
        expected = [str(name) for name in cast("list[object]", other)]
    else:
        return None
    lines = [f"{_name(history)} went {arrows(expected)}"]
    told = each_change(history)
    for kind, a, b, c, d in SequenceMatcher(None, history.names, expected, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [f"  {line}" for line in told[a:b]]
        else:
            lines += [f"- {'':9}    {state}  (expected)" for state in expected[c:d]]
            lines += [f"+ {line}" for line in told[a:b]]
    if expected == history.names:
        lines.append("but not with the same messages, attempts or run counts")
    return lines


def _name(history: StateHistory) -> str:
    return history.run.short_name if len(history) else "the run"
