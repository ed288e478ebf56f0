"""Histories in a SQLite database: the store that lasts."""

from runtime.history.sqlite.store import SQLiteHistoryStore

__all__ = ["SQLiteHistoryStore"]
