"""``flows recover``: what is left of processes that are gone."""

import json

import click

from runtime.cli.stored import with_store
from runtime.history import SQLiteHistoryStore

_HELP = """Mark flow runs as Crashed whose process is gone: killed, out of memory, or its machine restarted.

The next `flows run` does so, too. A run whose process lives is left alone, whatever it does.

\b
Examples:
  flows recover
  flows recover --json | jq -r .id
"""


@click.command(help=_HELP, short_help="Mark runs as Crashed whose process is gone.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="Also runs of other machines, which cannot be asked from here: when you know they are gone.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each run that was marked.")
@with_store
def recover(store: SQLiteHistoryStore, elsewhere: bool, as_json: bool) -> None:  # noqa: D103 - click would show it
    marked = store.recover(elsewhere=elsewhere)
    for run in marked:
        if as_json:
            click.echo(json.dumps({"id": str(run.id), "name": run.name, "flow": run.flow_name}))
        else:
            click.echo(f"Crashed: flow run '{run.name}' of flow '{run.flow_name}' ({run.id})")
    if not marked and not as_json:
        click.echo("No flow run has lost its process.")
