"""``flows show``: all that is known of one flow run, for somebody who asks what went wrong."""

import json
import logging
from collections.abc import Iterator
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from runtime.cli.ls import COLOURS
from runtime.cli.stored import find_run, run_argument, with_store
from runtime.cli.times import shown_length, shown_moment
from runtime.history import FlowRunHistory, SQLiteHistoryStore, StateHistory
from runtime.runs import FlowRun, RunInput, TaskRun

_HELP = """Show a flow run: its parameters, its task runs with their states, times and inputs, and its errors.

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows show latest
  flows show olivine-swan --states
  flows show 3fa9 --json > run.json      what `flows import` and FlowRunHistory.from_json read
"""

#: task runs shown before the rest is summed up; --all shows them all
_MOST = 200


@click.command(help=_HELP, short_help="Show one flow run.")
@run_argument
@click.option("--states", is_flag=True, help="Show each state of each run, and when it was entered.")
@click.option("--all", "show_all", is_flag=True, help=f"Show all task runs, not the first {_MOST} alone.")
@click.option("--json", "as_json", is_flag=True, help="The whole history, as one JSON document.")
@with_store
def show(store: SQLiteHistoryStore, run: str, states: bool, show_all: bool, as_json: bool) -> None:  # noqa: D103 - click would show it
    flow_run = find_run(store, run)
    history = store.history(flow_run.id)
    if as_json:
        click.echo(history.to_json())
        return
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:  # a file has no width
        console.width = 240
    for line in _heading(history):
        console.print(line)
    console.print(_tree(history, states=states, most=None if show_all else _MOST))
    for line in _errors(store, history):
        console.print(line, markup=False)


def _heading(history: FlowRunHistory) -> Iterator[str]:
    run = history.flow_run
    last = history.states[-1] if history.states else None
    yield f"[bold]{escape(run.name)}[/]  {run.id}"
    yield f"flow        {escape(run.flow_name)}{escape(f' {run.flow_version}') if run.flow_version else ''}"
    yield f"code        {escape(run.entry_point)}"
    if last is not None:
        message = f"  {escape(last.state.message)}" if last.state.message else ""
        yield f"state       {_coloured(last.state.name)}{message}"
    yield f"began       {shown_moment(run.created)}"
    if last is not None and last.state.is_final():
        yield f"took        {shown_length(last.elapsed)}"
    if last is not None and last.run_count > 1:
        yield f"run count   {last.run_count}"
    if run.tags:
        yield f"tags        {escape(', '.join(run.tags))}"
    for name, value in json.loads(run.parameters).items():
        yield f"parameter   {escape(name)} = {escape(json.dumps(value))}"


def _tree(history: FlowRunHistory, *, states: bool, most: int | None) -> Tree:
    top = Tree("", hide_root=True)
    branches: dict[UUID, Tree] = {history.flow_run.id: top}
    runs = [run for run in dict.fromkeys(change.run for change in history) if run.id != history.flow_run.id]
    for run in runs[:most]:
        owner = _owner(run)
        branch = branches.get(owner, top) if owner is not None else top
        own = history[run.id]
        branches[run.id] = branch.add(_line(history, run, own))
        if states:
            for change in own:
                message = f"  {escape(change.state.message)}" if change.state.message else ""
                when = f"[dim]{change.index:>5}  +{change.elapsed:.3f} s[/]"
                branches[run.id].add(f"{when}  {_coloured(change.state.name)}{message}")
    if most is not None and len(runs) > most:
        top.add(f"... and {len(runs) - most:,} more: --all shows them")
    return top


def _owner(run: FlowRun | TaskRun) -> UUID | None:
    if isinstance(run, FlowRun):
        return run.parent_id
    return run.parent.id if run.parent is not None else run.flow_run_id


def _line(history: FlowRunHistory, run: FlowRun | TaskRun, own: StateHistory) -> str:
    last = own[-1]
    name = (
        run.title or f"{run.task_name}-{run.n}"
        if isinstance(run, TaskRun)
        else f"{run.short_name} ({run.name})"
    )
    parts = [escape(name), _coloured(last.state.name)]
    began = next((c for c in own if c.state.is_running() and c.run_count == last.run_count), None)
    if began is not None and last.state.is_final():
        parts.append(shown_length(last.elapsed - began.elapsed))
    if last.attempt > 1 and isinstance(run, TaskRun):
        parts.append(f"{last.attempt} attempts")
    if last.worker is not None:
        parts.append(f"[dim]on {escape(last.worker)}[/]")
    upstream = [history.path(history[item.task_run].run) for item in _known_inputs(history, run)]
    if upstream:
        parts.append(f"[dim]<- {escape(', '.join(dict.fromkeys(upstream)))}[/]")
    if last.state.message and not last.state.is_completed():
        parts.append(escape(last.state.message))
    return "  ".join(parts)


def _known_inputs(history: FlowRunHistory, run: FlowRun | TaskRun) -> list[RunInput]:
    return [item for item in run.inputs if item.task_run in history] if isinstance(run, TaskRun) else []


def _errors(store: SQLiteHistoryStore, history: FlowRunHistory) -> Iterator[str]:
    """Why runs failed: each text once, since a flow fails of what its task failed of."""
    said: set[str] = set()
    for line in store.log_lines(history.flow_run.id):
        if line.level >= logging.ERROR and line.message not in said and line.run_id in history:
            said.add(line.message)
            run = history[line.run_id].run
            name = run.name if run.id == history.flow_run.id else history.path(run)
            yield f"\n{name}:\n{line.message}"


def _coloured(state: str) -> str:
    return f"[{COLOURS.get(state, 'default')}]{escape(state)}[/]"
