"""Results that outlive the run that made them: where they are kept, and how they are written."""

from typing import TYPE_CHECKING, Any

from runtime.results.choice import current_result_storage, result_storage
from runtime.results.local import LocalResultStorage
from runtime.results.sealing import ResultSerializer
from runtime.results.storages import MemoryResultStorage, ResultError, ResultStorage, StoredResult

if TYPE_CHECKING:
    from runtime.results.remote import RemoteResultStorage

__all__ = [
    "LocalResultStorage",
    "MemoryResultStorage",
    "RemoteResultStorage",
    "ResultError",
    "ResultSerializer",
    "ResultStorage",
    "StoredResult",
    "current_result_storage",
    "result_storage",
]


def __getattr__(name: str) -> Any:
    if name == "RemoteResultStorage":
        from runtime.results.remote import RemoteResultStorage

        return RemoteResultStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
