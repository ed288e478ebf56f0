"""``flows export`` and ``flows import``: histories as JSON documents."""

from pathlib import Path
from typing import BinaryIO

import click

from runtime.cli.stored import find_run, run_argument, with_store
from runtime.exceptions import HistoryError
from runtime.history import FlowRunHistory, SQLiteHistoryStore


@click.command(short_help="Write a history as JSON.")
@run_argument
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file to write it to."
)
@with_store
def export(store: SQLiteHistoryStore, run: str, output: Path | None) -> None:
    """Write the history of a flow run as a JSON document, which `flows import` takes in.

    \b
    Examples:
      flows export latest > run.json
      flows export olivine-swan -o run.json
    """  # noqa: D301 - \b is click's
    document = store.history(find_run(store, run).id).to_json()
    if output is None:
        click.echo(document)
    else:
        output.write_text(document + "\n")


@click.command("import", short_help="Take in a history from JSON.")
@click.argument("file", type=click.File("rb"))
@with_store
def import_(store: SQLiteHistoryStore, file: BinaryIO) -> None:
    """Take in a history that `flows export` wrote. FILE may be - for standard input. Nothing in it is run.

    \b
    Examples:
      flows import run.json
      ssh night flows export latest | flows import -
    """  # noqa: D301 - \b is click's
    try:
        history = FlowRunHistory.from_json(file.read())
        store.take_in(history)
    except HistoryError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Flow run '{history.flow_run.name}' of flow '{history.flow_run.flow_name}' is here.")
