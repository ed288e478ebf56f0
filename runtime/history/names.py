"""History stores by name, as settings say them."""

from collections.abc import Callable
from difflib import get_close_matches

from runtime.history.stores import HistoryStore, MemoryHistoryStore
from runtime.hooks import plugins
from runtime.settings import SettingsError, current_settings


def make_history_store(name: str) -> HistoryStore:
    """A new store of this kind: ``memory``, ``sqlite``, or what a plugin brings. Raises ``SettingsError``."""
    makers = _makers()
    if name not in makers:
        near = get_close_matches(name, makers, n=1)
        raise SettingsError(
            f"There is no history store {name!r}{f', did you mean {near[0]!r}?' if near else '.'} "
            f"There are: {', '.join(makers)}"
        )
    return makers[name]()


def _makers() -> dict[str, Callable[[], HistoryStore]]:
    makers: dict[str, Callable[[], HistoryStore]] = {"memory": MemoryHistoryStore, "sqlite": _at_home}
    for more in plugins().hook.flows_history_stores():
        makers.update(more)
    return makers


def _at_home() -> HistoryStore:
    from runtime.history.sqlite import SQLiteHistoryStore

    settings = current_settings()
    return SQLiteHistoryStore(settings.home / "history.db", durability=settings.durability)
