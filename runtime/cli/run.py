"""``flows run``: one flow, from the command line to its exit code."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any, NoReturn, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from runtime.cli.interrupts import Interrupts
from runtime.cli.loading import load_flow
from runtime.cli.parameters import read_parameters
from runtime.cli.progress import progress
from runtime.cli.recording import recorded
from runtime.cli.summary import print_summary, print_summary_line
from runtime.cli.tallies import RunTallies
from runtime.exceptions import ParameterTypeError
from runtime.flows import Flow
from runtime.hooks import plugins
from runtime.lifecycle import traceback_of
from runtime.states import State
from runtime.task_runners.names import MissingEngine, UnknownTaskRunner, make_task_runner

#: begins a flow run: gives its final state, or for an async flow what is to be awaited for it
Start: TypeAlias = Callable[[], State | Coroutine[Any, Any, State]]

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
  143  it was told to stop by SIGTERM
"""

C = TypeVar("C", bound=Callable[..., Any])


def json_option(command: C) -> C:
    """Adds the option --json."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Sum up in one JSON object, alone on standard output; prints go to standard error.",
    )(command)


def _complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


@click.command(help=_HELP, short_help="Run a flow.")
@click.argument("target", metavar="TARGET", shell_complete=_complete_file)
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
@json_option
def run(target: str, texts: tuple[str, ...], task_runner: str | None, as_json: bool) -> None:  # noqa: D103 - click would show it
    def prepare() -> Start:
        flow = load_flow(target)
        parameters = read_parameters(flow, texts)
        chosen = under(flow, task_runner)
        return lambda: chosen(**parameters, return_state=True)

    exit_with(prepare, as_json=as_json)


def exit_with(prepare: Callable[[], Start], *, as_json: bool) -> NoReturn:
    """See a flow run through, from finding the flow to the exit code."""
    interrupts = Interrupts()
    with interrupts.heard():
        try:
            completed = _run(prepare, interrupts, as_json=as_json)
        except (KeyboardInterrupt, asyncio.CancelledError):
            sys.exit(interrupts.exit_code)
    sys.exit(0 if completed else 1)


def under(flow: Flow[..., Any], name: str | None) -> Flow[..., Any]:
    """The flow with another task runner; one that declares that very kind keeps its settings."""
    if name is None:
        return flow
    try:
        runner = make_task_runner(name)
    except (UnknownTaskRunner, MissingEngine) as error:
        raise click.ClickException(str(error)) from error
    return flow if type(flow.task_runner) is type(runner) else flow.with_options(task_runner=runner)


def _run(prepare: Callable[[], Start], interrupts: Interrupts, *, as_json: bool) -> bool:
    tallies = RunTallies()
    error: BaseException | None = None
    try:
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            start = prepare()
            with recorded(), _listening(tallies), progress(tallies):
                state = _call(start, interrupts)
        error = None if state.is_completed() else state.exception()
    except (SystemExit, GeneratorExit) as ended:  # the flow crashed of it; its exit code is not ours
        error = ended
    finally:
        if as_json:
            print_summary_line(tallies, error)
        else:
            print_summary(tallies)
    if error is not None:
        _explain(error)
    return error is None


def _call(start: Start, interrupts: Interrupts) -> State:
    started = start()
    if isinstance(started, State):
        return started

    async def called() -> State:
        with interrupts.cancelling():
            return await started

    return asyncio.run(called())


def _explain(error: BaseException) -> None:
    """Say why, with the traceback of the user's code."""
    if isinstance(error, ParameterTypeError):
        click.echo(f"Error: {error}", err=True)
    else:
        click.echo(traceback_of(error), err=True)


@contextmanager
def _listening(tallies: RunTallies) -> Generator[None]:
    plugins().register(tallies)
    try:
        yield
    finally:
        plugins().unregister(tallies)
