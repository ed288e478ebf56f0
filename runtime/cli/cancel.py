"""``flows cancel``: an end to a flow run of another process."""

import time

import click

from runtime.cli.stored import find_run, run_argument, with_store
from runtime.history import SQLiteHistoryStore

_HELP = """Tell a flow run to end, in whichever process of this machine: its tasks are told to stop.

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows cancel latest
  flows cancel olivine-swan --wait
"""

_PAUSE = 0.1


@click.command(help=_HELP, short_help="Tell a run to end.")
@run_argument
@click.option("--wait", is_flag=True, help="Return when it has ended.")
@with_store
def cancel(store: SQLiteHistoryStore, run: str, wait: bool) -> None:  # noqa: D103 - click would show it
    store.recover()  # a process that is gone would never hear of it
    flow_run = find_run(store, run)
    if not store.ask_to_cancel(flow_run.id):
        raise click.ClickException(
            f"Flow run '{flow_run.name}' is not under way. How it ended: flows show {flow_run.name}"
        )
    click.echo(f"Told flow run '{flow_run.name}' to end.")
    while wait:
        last = store.history(flow_run.id).states[-1]
        if last.state.is_final():
            click.echo(f"{last.state.name} after {last.elapsed:.2f} s.")
            return
        time.sleep(_PAUSE)
        store.recover()
