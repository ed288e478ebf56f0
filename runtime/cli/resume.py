"""``flows resume``: a flow run that crashed or failed goes on."""

from collections.abc import Coroutine
from typing import Any

import click

from runtime.cli.loading import load_flow
from runtime.cli.parameters import read_some_parameters
from runtime.cli.run import Start, exit_with, json_option, under
from runtime.cli.stored import find_run, opened_store, run_argument
from runtime.exceptions import ResumeError
from runtime.states import State

_HELP = """Run a crashed, failed or cancelled flow run again, from where it was.

The flow's function is called again, with the parameters that were recorded. Task runs that completed are
not made again where their results were kept (persist_result=True, or FLOWS_PERSIST_RESULTS=1) and their
inputs and their code are the same. All others are made again: a task that was under way may have done its
work already. Its run keeps its id, which can serve as an idempotency key: get_run_context().task_run.id

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows resume latest
  flows resume olivine-swan --param password=...   what is secret is not recorded
"""


@click.command(help=_HELP, short_help="Go on with a run that crashed or failed.")
@run_argument
@click.option(
    "--param",
    "-p",
    "texts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter that was not recorded, or is to be another one.",
)
@click.option("--task-runner", metavar="NAME", help="Run the flow's tasks under this one.")
@click.option("--changed-code", is_flag=True, help="Go on although the flow's function was changed.")
@json_option
def resume(  # noqa: D103 - click would show it
    run: str, texts: tuple[str, ...], task_runner: str | None, changed_code: bool, as_json: bool
) -> None:
    def prepare() -> Start:
        with opened_store() as store:
            store.recover()
            history = store.history(find_run(store, run).id)
        flow = load_flow(history.flow_run.entry_point)
        parameters = read_some_parameters(flow, texts)
        chosen = under(flow, task_runner)

        def start() -> State | Coroutine[Any, Any, State]:
            try:
                return chosen.resume(history, parameters, changed_code=changed_code)
            except ResumeError as error:
                raise click.ClickException(_with_advice(error)) from error

        return start

    exit_with(prepare, as_json=as_json)


def _with_advice(error: ResumeError) -> str:
    if "code of flow" in str(error):
        return f"{error} If it may go on with the new code: --changed-code"
    if "Give them again" in str(error):
        return f"{error} Write --param NAME=VALUE"
    return str(error)
