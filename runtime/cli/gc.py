"""``flows gc``: room for new flow runs."""

import time

import click

from runtime.cli.stored import with_store
from runtime.cli.times import Length
from runtime.history import SQLiteHistoryStore
from runtime.results import current_result_storage


@click.command(short_help="Forget old runs.")
@click.option(
    "--keep", type=Length(), required=True, metavar="LENGTH", help="Forget runs that are older: 12h, 30d, 8w."
)
@with_store
def gc(store: SQLiteHistoryStore, keep: float) -> None:
    """Forget flow runs that are older, with their logs and results, and cached results that have expired.

    Runs that are under way stay.

    \b
    Example:
      flows gc --keep 30d
    """  # noqa: D301 - \b is click's
    now = time.time()
    forgotten = store.forget(now - keep)
    old = {f"run/{run.id}/" for run in forgotten}
    outermost = sum(run.parent_id is None for run in forgotten)
    deleted = current_result_storage().forget(
        lambda key, expires: (expires is not None and expires <= now) or _owner(key) in old
    )
    click.echo(f"Forgot {outermost:,} flow runs and {deleted:,} results.")


def _owner(key: str) -> str:
    return "/".join(key.split("/", 2)[:2]) + "/"
