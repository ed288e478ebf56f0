"""The store in the home of this user's flows, and the flow run that an argument means."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore
from runtime.history.names import make_history_store
from runtime.runs import FlowRun
from runtime.settings import SettingsError

C = TypeVar("C", bound=Callable[..., Any])


def home_store() -> SQLiteHistoryStore:
    """The store that ``flows run`` writes to."""
    return cast("SQLiteHistoryStore", make_history_store("sqlite"))


@contextmanager
def opened_store() -> Generator[SQLiteHistoryStore]:
    """The store for the length of a block; what is wrong with it is said in one line."""
    try:
        with closing(home_store()) as store:
            yield store
    except (StoreError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


def find_run(store: SQLiteHistoryStore, text: str) -> FlowRun:
    """The outermost flow run that ``text`` means. Raises ``click.ClickException`` where it is not one."""
    if text == "latest":
        latest = store.summaries(limit=1)
        if not latest:
            raise click.ClickException(f"There is no flow run yet in {store.path}.")
        return latest[0].flow_run
    found = store.named(text)
    if not found:
        raise click.ClickException(f"There is no flow run {text!r} in {store.path}. See them all: flows ls")
    if len(found) > 1:
        ids = ", ".join(str(run.id) for run in found[-5:])
        raise click.ClickException(f"{text!r} means {len(found)} flow runs. Say which by its id: {ids}")
    return found[0]


def run_argument(command: C) -> C:
    """Adds the argument RUN, with tab completion."""
    return click.argument("run", metavar="RUN", shell_complete=_complete)(command)


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Hands the store to a command as its first argument."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with opened_store() as store:
            return command(store, *args, **kwargs)

    return wrapped


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, param
    with opened_store() as store:
        return [
            CompletionItem(summary.flow_run.name, help=summary.flow_run.flow_name)
            for summary in store.summaries(limit=200)
            if summary.flow_run.name.startswith(incomplete)
        ]
