"""``flows watch``: a flow run, as it goes."""

import sys
import time

import click
from rich.console import Console
from rich.markup import escape

from runtime.cli.ls import COLOURS
from runtime.cli.stored import find_run, run_argument, with_store
from runtime.history import SQLiteHistoryStore

_HELP = """Show each change of state of a flow run as it is written, until it ends.

RUN is the name of a flow run, the beginning of its id, or `latest`. The exit code is that of `flows run`.

\b
Example:
  flows watch latest
"""

_PAUSE = 0.2


@click.command(help=_HELP, short_help="Follow a run until it ends.")
@run_argument
@with_store
def watch(store: SQLiteHistoryStore, run: str) -> None:  # noqa: D103 - click would show it
    flow_run = find_run(store, run)
    console = Console(highlight=False, soft_wrap=True)
    position, last = 0, None
    while True:
        for change in store.states_since(flow_run.id, position):
            message = f"  {escape(change.message)}" if change.message else ""
            state = f"[{COLOURS.get(change.state, 'default')}]{escape(change.state)}[/]"
            console.print(f"+{change.elapsed:.3f} s  {escape(change.run_name)}  {state}{message}")
            position, last = change.position + 1, change
        if last is not None and last.is_end:  # of its latest run count: one that is resumed goes on
            sys.exit(0 if last.state == "Completed" else 1)
        time.sleep(_PAUSE)
        store.recover()
