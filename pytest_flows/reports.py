"""What the report of a failed test says about the flows that it ran."""

import sys
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from pytest_flows.sessions import listener_of
from pytest_flows.timelines import timeline

if TYPE_CHECKING:
    from runtime.history import FlowRunHistory, HistoryStore


def note_flow_runs(item: pytest.Item) -> None:
    """Remember which flow runs were there before the test, and listen to workers from now on."""
    listener = listener_of(item.config)
    if listener is not None:
        listener.forget()
    store = _store()
    item.stash[_EARLIER] = {run.id for run in store.flow_runs()} if store is not None else set[UUID]()


def add_sections(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add to the report of a failed test what its flow runs did, and what was heard meanwhile."""
    if not report.failed:
        return
    if report.when == "call":
        _add_flow_history(item, report)
    listener = listener_of(item.config)
    if listener is not None:
        texts = {"worker output": "\n".join(listener.output), "stacks": "\n".join(listener.stacks)}
        report.sections += [(title, text) for title, text in texts.items() if text]


def _add_flow_history(item: pytest.Item, report: pytest.TestReport) -> None:
    store = _store()
    if store is None:
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
