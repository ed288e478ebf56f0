"""``flows replay``: a recorded flow run, again, in the simulator."""

import traceback
from functools import partial
from pathlib import Path
from typing import Any

import click

from runtime.cli.loading import load_flow
from runtime.cli.parameters import read_some_parameters
from runtime.cli.stored import find_run, opened_store, run_argument
from runtime.flows import Flow
from runtime.history import FlowRunHistory
from runtime.parameters import described_parameters
from runtime.results import MemoryResultStorage, result_storage
from simulators.drift import first_drift, runs_that_differ
from simulators.exceptions import SimulatorError
from simulators.exploration import explore
from simulators.exploration import replay as replayed
from simulators.failures import Failure
from simulators.places import is_passed_over
from simulators.schedules import Schedule
from simulators.strategies import NEAR
from simulators.stubs import RecordedStubs
from simulators.timelines import was_lost

_HELP = """Replay a recorded flow run in the simulator, and search around it for what went wrong.

The flow's code runs here and now, in virtual time: task runs begin and end when they were recorded to, on
whatever task runner that was, and those that were lost with a worker are lost again. Nothing is written to
the store, and results are neither kept nor looked up; what tasks do to files and services, they do again.

Where a failed run does not fail so, the same order of beginnings and ends is tried with tasks that spend
their time at other points of their code. A failure is told with a token, and with a test that replays it.

With --stub recorded no task is called: each run is given the result that was stored of it
(persist_result=True, or FLOWS_PERSIST_RESULTS=1), or raises what it raised. Results are looked up as by
`flows resume`: for the same code and the same inputs. The flow is called once then, and nothing is searched,
unless you say --search.

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows replay latest
  flows replay olivine-swan --search 2000
  flows replay olivine-swan --test test_the_night.py
  flows replay olivine-swan --param password=...   what is secret is not recorded
  flows replay olivine-swan --stub recorded --real parse   of all tasks, only parse is called

\b
Exit code:
  0    what was recorded was reproduced, or a failed run failed near its schedule
  1    it was not: the first difference is named
"""


@click.command(help=_HELP, short_help="Replay a run in the simulator, and search around it.")
@run_argument
@click.option(
    "--param",
    "-p",
    "texts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter that was not recorded, or is to be another one.",
)
@click.option(
    "--search",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Try N schedules near it; if not given, {NEAR} for a run that failed and does not fail here.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Where the search has its chance from.")
@click.option(
    "--test",
    "test_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a test that replays the failure to this file, which must not be there yet.",
)
@click.option(
    "--stub",
    type=click.Choice(["recorded"]),
    help="Call no task: give each run what was recorded of it, the stored result or the exception.",
)
@click.option(
    "--real",
    metavar="TASK",
    multiple=True,
    help="With --stub: a task that is called all the same, by its name or a pattern such as `parse*`.",
)
def replay(  # noqa: D103 - click would show it
    run: str,
    texts: tuple[str, ...],
    search: int | None,
    seed: int,
    test_file: Path | None,
    stub: str | None,
    real: tuple[str, ...],
) -> None:
    _check_options(test_file, stub, real)
    with opened_store() as store:
        history = store.history(find_run(store, run).id)
        log = store.log_lines(history.flow_run.id) if stub else []
    flow = _flow_of(history)
    given = read_some_parameters(flow, texts)
    test = partial(flow, **_parameters(history, given))
    try:
        stubs = RecordedStubs(history, log, real) if stub else None
        with result_storage(MemoryResultStorage()):
            failure, reproduced = _tried(history, test, search, seed, stubs)
            if failure is not None:
                click.echo(f"\n{failure}")
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error
    if failure is not None and stubs is None:
        source = _test_source(history, failure, given)
        if test_file is None:
            click.echo(f"\nAs a test:\n\n{source}")
        else:
            test_file.write_text(source)
            click.echo(f"\nWrote {test_file}")
    raise SystemExit(0 if reproduced else 1)


def _check_options(test_file: Path | None, stub: str | None, real: tuple[str, ...]) -> None:
    if test_file is not None and test_file.exists():
        raise click.ClickException(f"{str(test_file)!r} is there already.")
    if real and not stub:
        raise click.ClickException("--real goes with --stub recorded; without it, all tasks are called.")
    if test_file is not None and stub:
        raise click.ClickException(
            "--test goes without --stub: the results that stubs give stay in the store, and a test has none."
        )


def _tried(
    history: FlowRunHistory,
    test: "partial[Any]",
    search: int | None,
    seed: int,
    stubs: RecordedStubs | None,
) -> tuple[Failure | None, bool]:
    """The failure that was found, and whether what was recorded has been reproduced."""
    schedule = Schedule.from_history(history)
    execution = replayed(test, schedule, stubs=stubs)
    if stubs is not None:
        _refuse_missing(stubs)
    failed = not history.states[-1].state.is_completed()
    if execution.history is None:
        raise click.ClickException(f"The flow did not begin here: {execution.outcome}")
    drift = first_drift(history, execution.history)
    recorded = f"{history.flow_run.name}: {history.states[-1].state.name}, {len(history.task_runs)} task runs"
    now = execution.history.states[-1].state.name
    cut_off = stubs is not None and was_lost(history)
    if drift is None:
        reached = "until its process was gone" if cut_off else f"at the recorded times: {now}"
        click.echo(f"{recorded}. Reproduced {reached}.")
    else:
        click.echo(f"{recorded}. Replayed at the recorded times: {now}, and not as recorded.")
        click.echo(f"The first difference: {drift}")
        unmatched = runs_that_differ(history, execution.history)
        if unmatched:
            click.echo(f"Task runs that one of the two does not have: {_shortened(unmatched)}")
    if stubs is not None and search is None:
        _tell(stubs)
        if execution.error is not None and (stubs.called or not (cut_off and drift is None)):
            click.echo(f"\n{_traceback(execution.error)}")
        return None, drift is None
    if execution.failed:
        found = explore(test, near=schedule, schedules=1, stubs=stubs).failures
        return (found[0] if found else None), drift is None
    if search is None:
        search = NEAR if failed else 0
    if not search:
        return None, drift is None
    exploration = explore(test, near=schedule, schedules=search, seed=seed, stubs=stubs)
    if not exploration.failures:
        click.echo(f"Searched around it: {exploration.certificate}.")
        return None, drift is None
    click.echo(f"Searched around it: a failure in schedule {exploration.executions}.")
    return exploration.failures[0], failed


def _refuse_missing(stubs: RecordedStubs) -> None:
    """Raise ``click.ClickException`` where a task run completed and its result is not there."""
    if not stubs.missing:
        return
    tasks = " ".join(f"--real {name}" for name in dict.fromkeys(stubs.missing.values()))
    raise click.ClickException(
        f"There is no stored result of {_shortened(list(stubs.missing))}, for their present code and inputs: "
        f"it was not kept, or the code or the inputs are others. Results are kept of tasks with "
        f"persist_result=True, and of all with FLOWS_PERSIST_RESULTS=1. To call these tasks, which do again "
        f"what they do: {tasks}"
    )


def _tell(stubs: RecordedStubs) -> None:
    """Say what was called and what was not."""
    called = f"Called: {_shortened(list(stubs.called))}." if stubs.called else "No task was called."
    click.echo(f"Given what was recorded of them: {_counted(list(stubs.stubbed))}. {called}")
    if stubs.unknown:
        click.echo(
            f"Failed, since nothing was recorded that could stand in: {_shortened(list(stubs.unknown))}."
        )


def _traceback(error: BaseException) -> str:
    """The traceback without the frames that are ours; of what a stub raised, no more than what it is."""
    shown = traceback.TracebackException.from_exception(error)
    theirs = [frame for frame in shown.stack if not is_passed_over(frame.filename)]
    shown.stack = traceback.StackSummary.from_list(theirs)
    return "".join(shown.format() if theirs else shown.format_exception_only()).rstrip()


def _flow_of(history: FlowRunHistory) -> Flow[..., Any]:
    run = history.flow_run
    final = history.states.final if len(history.states) else None
    if final is None:
        raise click.ClickException(
            f"'{run.name}' has not ended; replay it when it has (flows watch {run.name})"
        )
    if not run.entry_point:
        raise click.ClickException(f"'{run.name}' does not say where its code is, so it cannot be run here.")
    try:
        flow = load_flow(run.entry_point)
    except click.ClickException as error:
        raise click.ClickException(f"The code of '{run.name}' is not here. {error.message}") from error
    if flow.name != run.flow_name:
        raise click.ClickException(f"'{run.name}' is a run of flow '{run.flow_name}', not of '{flow.name}'.")
    if flow.code_hash != run.code_hash:
        click.echo(f"Note: the code of flow '{flow.name}' was changed since '{run.name}' ran.", err=True)
    return flow


def _parameters(history: FlowRunHistory, given: dict[str, Any]) -> dict[str, Any]:
    recorded, lost = described_parameters(history.flow_run.parameters)
    missing = [name for name in lost if name not in given]
    if missing:
        options = " ".join(f"--param {name}=VALUE" for name in missing)
        raise click.ClickException(
            f"'{history.flow_run.name}' does not hold its parameters {', '.join(missing)}: secrets, and what "
            f"JSON cannot say, are not kept. Give them: {options}"
        )
    return {**recorded, **given}


def _test_source(history: FlowRunHistory, failure: Failure, given: dict[str, Any]) -> str:
    """A test that fails as long as the failure is there.

    What was given by hand may be secret, so it comes from the environment.
    """
    run = history.flow_run
    file, _, name = run.entry_point.rpartition(":")
    recorded, _ = described_parameters(run.parameters)
    arguments = [f"{key}={value!r}" for key, value in recorded.items() if key not in given]
    arguments += [f'{key}=os.environ["{key.upper()}"]' for key in given]
    return _TEST.format(
        imports="import os\n" if given else "",
        run=f"{run.name} ({run.id})",
        module=Path(file).stem,
        flow=name,
        token=failure.shrunk,
        test=run.name.replace("-", "_"),
        called=", ".join([name, *arguments]),
    )


def _counted(names: list[str]) -> str:
    return f"{len(names)} task run{'' if len(names) == 1 else 's'}"


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


_TEST = '''"""Flow run {run}, as `flows replay` found it."""

{imports}from functools import partial

from {module} import {flow}
from simulators import replay

SCHEDULE = "{token}"


def test_{test}_does_not_fail_any_more():
    execution = replay(partial({called}), SCHEDULE)

    if execution.error is not None:
        raise execution.error
'''
