"""Flow runs of this process, kept: their histories and their log go to the store in the user's home."""

import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from uuid import UUID

import click

from runtime.context import default_environment
from runtime.exceptions import StoreError
from runtime.history import HistoryStore
from runtime.history.names import make_history_store
from runtime.logging import log_kept
from runtime.settings import SettingsError, current_settings


@contextmanager
def recorded() -> Generator[None]:
    """Keep all flow runs of the block. Raises ``click.ClickException`` where they cannot be kept."""
    with ExitStack() as stack:
        try:
            store = make_history_store(current_settings().history or "sqlite")
        except SettingsError as error:
            raise click.ClickException(str(error)) from error
        stack.callback(getattr(store, "close", _nothing))
        stack.enter_context(default_environment(store=store))
        if store.keeps_log:
            stack.enter_context(log_kept(_StoreHandler(store)))
        try:
            yield
        except StoreError as error:
            raise click.ClickException(str(error)) from error


class _StoreHandler(logging.Handler):
    """Hands what runs log to the store."""

    def __init__(self, store: HistoryStore) -> None:
        super().__init__()
        self._store = store

    def emit(self, record: logging.LogRecord) -> None:
        flow_run_id: str | None = getattr(record, "flow_run_id", None)
        if flow_run_id is not None:
            run_id: str = getattr(record, "task_run_id", flow_run_id)
            self._store.log(
                UUID(flow_run_id), UUID(run_id), record.created, record.levelno, self.format(record)
            )


def _nothing() -> None:
    return None
