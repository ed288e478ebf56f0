"""Which storage is in force."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from runtime.results.local import LocalResultStorage
from runtime.results.storages import ResultStorage
from runtime.settings import current_settings


def current_result_storage() -> ResultStorage:
    """The storage in force here: by default a folder ``results`` in the home of this user's flows."""
    chosen = _storage.get()
    if chosen is not None:
        return chosen
    settings = current_settings()
    if settings.result_storage is None:
        return LocalResultStorage(settings.home / "results", settings.result_serializer)
    from runtime.results.remote import RemoteResultStorage

    return RemoteResultStorage(settings.result_storage, settings.result_serializer, settings.result_key)


@contextmanager
def result_storage(storage: ResultStorage) -> Generator[ResultStorage]:
    """Keep results elsewhere for the length of a block."""
    token = _storage.set(storage)
    try:
        yield storage
    finally:
        _storage.reset(token)


_storage: ContextVar[ResultStorage | None] = ContextVar("flows_result_storage", default=None)
