"""``flows logs``: what a flow run logged."""

import json
import logging
import time

import click

from runtime.cli.stored import find_run, run_argument, with_store
from runtime.history import SQLiteHistoryStore

_HELP = """Show what a flow run and its task runs logged, with the tracebacks of those that failed.

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows logs latest
  flows logs olivine-swan --level error
"""

_LEVELS = ("debug", "info", "warning", "error", "critical")


@click.command(help=_HELP, short_help="Show what a run logged.")
@run_argument
@click.option(
    "--level", type=click.Choice(_LEVELS, case_sensitive=False), default="debug", help="This level and above."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each line.")
@with_store
def logs(store: SQLiteHistoryStore, run: str, level: str, as_json: bool) -> None:  # noqa: D103 - click would show it
    lowest: int = logging.getLevelNamesMapping()[level.upper()]
    for line in store.log_lines(find_run(store, run).id):
        if line.level < lowest:
            continue
        if as_json:
            fields = {"at": line.at, "level": logging.getLevelName(line.level), "run_id": str(line.run_id)}
            click.echo(json.dumps({**fields, "message": line.message}))
        else:
            clock = time.strftime("%H:%M:%S", time.localtime(line.at))
            click.echo(f"{clock}.{int(line.at % 1 * 1000):03d} | {line.message}")
