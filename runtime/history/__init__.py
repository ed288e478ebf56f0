"""What happened: changes of state, the histories they make up, and where those are kept."""

from runtime.history.changes import StateChange
from runtime.history.journal import Journal
from runtime.history.records import FlowRunHistory, StateHistory
from runtime.history.stores import HistoryStore, MemoryHistoryStore, history_of

__all__ = [
    "FlowRunHistory",
    "HistoryStore",
    "Journal",
    "MemoryHistoryStore",
    "StateChange",
    "StateHistory",
    "history_of",
]
