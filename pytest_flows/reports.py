"""What the report of a failed test says about the flows that it ran."""

import sys
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from pytest_flows.timelines import timeline

if TYPE_CHECKING:
    from runtime.history import FlowRunHistory, HistoryStore


def note_flow_runs(item: pytest.Item) -> None:
    """Remember which flow runs were there before the test."""
    store = _store()
    item.stash[_EARLIER] = {run.id for run in store.flow_runs()} if store is not None else set[UUID]()


def add_flow_history(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add the histories of the flow runs of a failed test to its report."""
    store = _store()
    if store is None or not report.failed or report.when != "call":
        return
    earlier = item.stash.get(_EARLIER, set[UUID]())
    histories = [store.history(run.id) for run in store.flow_runs() if run.id not in earlier]
    if histories:
        report.sections.append(("flow history", "\n\n".join(_told(history) for history in histories)))


def make_printable(report: pytest.TestReport) -> None:
    """Show what no encoding can as an escape: xdist ends its process over a lone surrogate in a log line."""
    report.sections = [
        (title, content.encode(errors="backslashreplace").decode()) for title, content in report.sections
    ]


def _store() -> "HistoryStore | None":
    """Where histories are, if anything has imported the runtime and they are in memory."""
    context, history = sys.modules.get("runtime.context"), sys.modules.get("runtime.history")
    if context is None or history is None:
        return None
    store = context.current_environment().store
    return store if isinstance(store, history.MemoryHistoryStore) else None


def _told(history: "FlowRunHistory") -> str:
    run = history.flow_run
    return "\n".join([f"{run.flow_name} '{run.name}'", *(f"  {line}" for line in timeline(history))])


_EARLIER = pytest.StashKey[set[UUID]]()
