"""What is said when a flow run has ended."""

import json
from collections import Counter

import click
from rich import box
from rich.console import Console
from rich.table import Table

from runtime.cli.fields import fields_of
from runtime.cli.tallies import RunTallies
from runtime.history.sqlite.listing import FlowRunSummary
from runtime.lifecycle import describe
from runtime.runs import FlowRun

#: the order of the columns; other states follow
_ORDER = ("Completed", "Cached", "Failed", "TimedOut", "Crashed", "Cancelled", "NotReady")


def print_summary(tallies: RunTallies) -> None:
    """Print how many runs of each task ended in which state."""
    change = tallies.flow_change
    if change is None:
        return
    console = Console(highlight=False)
    console.print(f"\nFlow run '{change.run.name}': {change.state.name} in {change.elapsed:.2f} s")
    by_task = tallies.by_task()
    if by_task:
        console.print(_table(by_task, tallies.by_state()))


def print_summary_line(tallies: RunTallies, error: BaseException | None) -> None:
    """Print the same as one JSON object; ``error`` is why the flow run did not complete."""
    change = tallies.flow_change
    if change is None or not isinstance(change.run, FlowRun):
        return
    summary = FlowRunSummary(change.run, change.state, change.run_count, change.elapsed)
    said = f"{type(error).__name__}: {describe(error)}" if error is not None else None
    counts = {state: count for state, count in sorted(tallies.by_state().items()) if count}
    click.echo(json.dumps({**fields_of(summary), "error": said, "task_runs": counts}))


def _table(by_task: dict[str, Counter[str]], total: Counter[str]) -> Table:
    states = sorted((state for state in total if total[state]), key=_column)
    several = len(by_task) > 1
    table = Table(box=box.SIMPLE, show_footer=several)
    table.add_column("Task", footer="all")
    for state in states:
        table.add_column(state, justify="right", footer=f"{total[state]:,}")
    for task, counts in by_task.items():
        table.add_row(task, *(f"{counts[state]:,}" if counts[state] else "-" for state in states))
    return table


def _column(state: str) -> tuple[int, str]:
    return (_ORDER.index(state) if state in _ORDER else len(_ORDER)), state
