"""``flows run``: one flow, from the command line to its exit code."""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, cast

import click

from runtime.cli.interrupts import Interrupts
from runtime.cli.loading import load_flow, users_traceback
from runtime.cli.parameters import read_parameters
from runtime.cli.progress import progress
from runtime.cli.recording import recorded
from runtime.cli.summary import print_summary
from runtime.cli.tallies import RunTallies
from runtime.exceptions import ParameterTypeError
from runtime.flows import Flow
from runtime.hooks import plugins
from runtime.states import Crashed, State
from runtime.task_runners.names import MissingEngine, UnknownTaskRunner, make_task_runner

_HELP = """Run a flow, show its log, and sum up its task runs.

TARGET says where the flow is: FILE.py:FLOW, or module:FLOW for what can be imported. Where there is only
one flow, :FLOW can be left out. The folder of the file comes first on sys.path, as with `python FILE.py`.

\b
Examples:
  flows run examples/stdlib_census.py:census
  flows run etl.py:load --param day=2024-02-29 --param limit=10
  flows run etl.py:load --param 'tables=["users", "orders"]'
  flows run my_package.flows:nightly --task-runner sequential

\b
Exit code:
  0    the flow completed
  1    it did not, or could not be run
  130  you pressed Ctrl-C; a second Ctrl-C leaves at once
"""


@click.command(help=_HELP, short_help="Run a flow.")
@click.argument("target", metavar="TARGET")
@click.option(
    "--param",
    "-p",
    "texts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the flow: JSON (3, true, [1, 2], null), or else text. Once for each parameter.",
)
@click.option(
    "--task-runner",
    metavar="NAME",
    help="Run the flow's tasks under this one (sequential, concurrent ...) instead of the one it declares.",
)
def run(target: str, texts: tuple[str, ...], task_runner: str | None) -> None:  # noqa: D103 - click would show it
    interrupts = Interrupts()
    with interrupts.heard():
        try:
            completed = _run(target, texts, task_runner, interrupts)
        except (KeyboardInterrupt, asyncio.CancelledError):
            sys.exit(interrupts.exit_code)
    sys.exit(0 if completed else 1)


def _run(target: str, texts: tuple[str, ...], task_runner: str | None, interrupts: Interrupts) -> bool:
    flow = load_flow(target)
    parameters = read_parameters(flow, texts)
    if task_runner is not None:
        flow = _under(flow, task_runner)
    tallies = RunTallies()
    try:
        with recorded(), _listening(tallies), progress(tallies):
            state = _call(flow, parameters, interrupts)
    except (SystemExit, GeneratorExit) as error:  # the flow crashed of it; its exit code is not ours
        state = Crashed(f"The flow raised {error!r}", data=error)
    finally:
        print_summary(tallies)
    if not state.is_completed():
        _explain(state)
    return state.is_completed()


def _under(flow: Flow[..., Any], name: str) -> Flow[..., Any]:
    """The flow with another task runner; one that declares that very kind keeps its settings."""
    try:
        runner = make_task_runner(name)
    except (UnknownTaskRunner, MissingEngine) as error:
        raise click.ClickException(str(error)) from error
    return flow if type(flow.task_runner) is type(runner) else flow.with_options(task_runner=runner)


def _call(flow: Flow[..., Any], parameters: dict[str, Any], interrupts: Interrupts) -> State:
    if not flow.is_async:
        return flow(**parameters, return_state=True)

    async def called() -> State:
        with interrupts.cancelling():
            state: State = await cast("Coroutine[Any, Any, State]", flow(**parameters, return_state=True))
            return state

    return asyncio.run(called())


def _explain(state: State) -> None:
    """Say why, with the traceback of the user's code."""
    error = state.exception()
    if isinstance(error, ParameterTypeError):
        click.echo(f"Error: {error}", err=True)
    else:
        click.echo(users_traceback(error).rstrip(), err=True)


@contextmanager
def _listening(tallies: RunTallies) -> Generator[None]:
    plugins().register(tallies)
    try:
        yield
    finally:
        plugins().unregister(tallies)
