"""What happened: changes of state, the histories they make up, and where those are kept."""

from typing import TYPE_CHECKING, Any

from runtime.history.changes import StateChange
from runtime.history.journal import Journal
from runtime.history.records import FlowRunHistory, StateHistory
from runtime.history.stores import HistoryStore, MemoryHistoryStore, history_of

if TYPE_CHECKING:
    from runtime.history.sqlite import SQLiteHistoryStore

__all__ = [
    "FlowRunHistory",
    "HistoryStore",
    "Journal",
    "MemoryHistoryStore",
    "SQLiteHistoryStore",
    "StateChange",
    "StateHistory",
    "history_of",
]


def __getattr__(name: str) -> Any:
    if name == "SQLiteHistoryStore":  # sqlite3 is imported only where it is used
        from runtime.history.sqlite import SQLiteHistoryStore

        return SQLiteHistoryStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
