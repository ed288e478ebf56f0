"""``flows dash``: the page over the store, for as long as the command runs."""

import threading
from contextlib import suppress

import click

import runtime.dash
from runtime.cli.stored import with_store
from runtime.history import SQLiteHistoryStore

_LOOK_FOR_SIGNALS = 0.25  # seconds

_HELP = """Show flow runs in the browser: which there are, how each went and goes on, and what differs.

The page is served to this machine alone, and to whoever has the link that is printed. It changes nothing.
Ctrl-C ends it.

\b
Examples:
  flows dash
  flows dash --port 8500
  ssh -L 8500:127.0.0.1:8500 host flows dash --port 8500
"""


@click.command(help=_HELP, short_help="Show flow runs in the browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="The port on 127.0.0.1; without it, one that is free.",
)
@with_store
def dash(store: SQLiteHistoryStore, port: int) -> None:  # noqa: D103 - click would show it
    try:
        shown = runtime.dash.Dash(store, port)
    except OSError as error:
        raise click.ClickException(f"Port {port} of 127.0.0.1 cannot be used: {error}") from error
    with suppress(KeyboardInterrupt), shown:
        # Not handed to a browser: everybody on this machine can read the arguments of its process.
        click.echo(shown.link)
        over = threading.Event()
        # A signal that another thread takes ends no wait that has no end of its own.
        while not over.wait(_LOOK_FOR_SIGNALS):
            pass
