"""The command ``flows`` itself: its help, and where its subcommands come from."""

import sys
from io import TextIOWrapper
from typing import cast

import click

from runtime.cli.cancel import cancel
from runtime.cli.dash import dash
from runtime.cli.documents import export, import_
from runtime.cli.gc import gc
from runtime.cli.logs import logs
from runtime.cli.ls import ls
from runtime.cli.recover import recover
from runtime.cli.resume import resume
from runtime.cli.run import run
from runtime.cli.show import show
from runtime.cli.watch import watch
from runtime.hooks import plugins
from runtime.settings import SettingsError

_HELP = """Run flows from the command line.

A flow is a Python function with @flow above it, in a file or in a module that can be imported.

\b
Examples:
  flows run examples/stdlib_census.py:census
  flows run etl.py:load --param day=2024-02-29 --param limit=10
  flows run my_package.flows:nightly --task-runner sequential
  flows ls --state failed --since 12h
  flows show latest
  flows run --help

Tab completion: put `eval "$(_FLOWS_COMPLETE=bash_source flows)"` into ~/.bashrc (zsh and fish likewise).
"""


class _Commands(click.Group):
    """Our own commands, and those that plugins bring: these are looked for when ours do not do."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(_plugged_in())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _plugged_in().get(cmd_name)


@click.group(cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pytest-flows", message="flows %(version)s")
def main() -> None:  # noqa: D103 - click would show it
    output = cast("object", sys.stdout)
    if isinstance(output, TextIOWrapper):
        cast("TextIOWrapper", output).reconfigure(errors="backslashreplace")  # a name may be no Unicode


for command in (run, ls, show, logs, watch, cancel, recover, resume, export, import_, gc, dash):
    main.add_command(command)


def _plugged_in() -> dict[str, click.Command]:
    commands: dict[str, click.Command] = {}
    try:
        implementations = plugins().hook.flows_commands.get_hookimpls()
    except SettingsError as error:
        click.echo(f"flows: {error}", err=True)
        return commands
    for implementation in implementations:
        try:
            brought = cast("list[click.Command]", implementation.function())
            commands.update({command.name or "": command for command in brought})
        except Exception as error:  # a plugin that is broken must not take the other commands with it
            click.echo(
                f"flows: the commands of plugin {implementation.plugin_name} are missing: {error!r}", err=True
            )
    return commands
