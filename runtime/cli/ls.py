"""``flows ls``: which flow runs there are, and how each stands."""

import json
import time

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runtime.cli.fields import fields_of
from runtime.cli.stored import with_store
from runtime.cli.times import Length, shown_length, shown_moment
from runtime.history import SQLiteHistoryStore
from runtime.history.sqlite.listing import FlowRunSummary
from runtime.states import StateType

_HELP = """List flow runs, newest first.

\b
Examples:
  flows ls
  flows ls --flow load --state failed --since 12h
  flows ls --json | jq -r .name
"""

#: colours of states that deserve one
COLOURS = {
    "Completed": "green",
    "Cached": "green",
    "Failed": "red",
    "TimedOut": "red",
    "Crashed": "red",
    "Cancelled": "yellow",
    "Running": "cyan",
    "Retrying": "cyan",
}


def _complete_state(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del ctx, param
    return [kind.value.lower() for kind in StateType if kind.value.lower().startswith(incomplete.lower())]


@click.command(help=_HELP, short_help="List flow runs.")
@click.option("--flow", metavar="NAME", help="Runs of this flow alone.")
@click.option(
    "--state",
    metavar="STATE",
    shell_complete=_complete_state,
    help="Runs in this state alone: completed, failed, crashed, running ...",
)
@click.option(
    "--since", type=Length(), metavar="LENGTH", help="Runs that began within this time: 90s, 15m, 12h, 30d."
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each run, one to a line.")
@with_store
def ls(  # noqa: D103 - click would show it
    store: SQLiteHistoryStore,
    flow: str | None,
    state: str | None,
    since: float | None,
    limit: int,
    as_json: bool,
) -> None:
    earliest = 0.0 if since is None else time.time() - since
    found = store.summaries(flow_name=flow, state=state, since=earliest, limit=limit)
    if as_json:
        for summary in found:
            click.echo(json.dumps(fields_of(summary)))
    elif found:
        console = Console(highlight=False)
        if not console.is_terminal:  # a file has no width
            console.width = 240
        console.print(_table(found))
    elif flow or state or since:
        click.echo("No flow run is like that.")
    else:
        click.echo(f"There is no flow run yet in {store.path}. Run a flow: flows run FILE.py:FLOW")


def _table(found: list[FlowRunSummary]) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False)  # 80 columns are enough for most
    for column in ("Flow run", "Flow", "State", "Began", "Took", "Id"):
        table.add_column(column, no_wrap=column != "Flow", overflow="fold")
    for summary in found:
        run, state = summary.flow_run, summary.state
        name = state.name if state is not None else "-"
        took = shown_length(summary.elapsed) if state is not None and state.is_final() else ""
        colour = COLOURS.get(name, "default")
        table.add_row(
            run.name,
            escape(run.flow_name),
            f"[{colour}]{name}[/]",
            shown_moment(run.created),
            took,
            str(run.id)[:8],
        )
    return table
