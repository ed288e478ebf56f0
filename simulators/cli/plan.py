"""``flows plan``: a recorded flow run on clusters of other sizes."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from runtime.cli.stored import find_run, run_argument, with_store
from runtime.cli.times import Length, shown_length
from runtime.history import SQLiteHistoryStore
from simulators.planning import Plan, Work, critical_path, fewest_workers, plan_page
from simulators.planning import plan as planned

_HELP = """Say how long a recorded flow run would take on other numbers of workers.

The recorded task times and the graph of inputs are run on clusters in virtual time: each slot takes the
oldest task that is ready. Shown are the makespan, how much of the cluster's time is work, the critical path,
which no cluster can beat, and the fewest workers that end within --deadline. Not modelled: how long data
travels, memory, and workers that differ.

RUN is the name of a flow run, the beginning of its id, or `latest`.

\b
Examples:
  flows plan latest
  flows plan olivine-swan --workers 1000
  flows plan olivine-swan --workers 8 --threads 4 --overhead 0.001
  flows plan olivine-swan --deadline 30m --html plan.html
"""

#: task runs of the critical path that are shown
_MOST = 10
_COLUMNS = 40
_BLOCKS = " ▁▂▃▄▅▆▇█"


@click.command(help=_HELP, short_help="Plan a cluster from a run's times.")
@run_argument
@click.option("--workers", type=click.IntRange(1, 100_000), metavar="N", help="Plan for N workers.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Tasks at once on a worker."
)
@click.option(
    "--overhead",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="What each task costs beside its own time.",
)
@click.option(
    "--deadline", type=Length(), metavar="LENGTH", help="Find the fewest workers for it: 90s, 15m, 2h."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--json", "as_json", is_flag=True, help="The plans as one JSON document.")
@with_store
def plan(  # noqa: D103 - click would show it
    store: SQLiteHistoryStore,
    run: str,
    workers: int | None,
    threads: int,
    overhead: float,
    deadline: float | None,
    html: Path | None,
    as_json: bool,
) -> None:
    history = store.history(find_run(store, run).id)
    if not len(history.states):
        raise click.ClickException(f"'{history.flow_run.name}' has not begun: there is nothing to plan from.")
    work = Work.of(history)
    if not work.pieces:
        raise click.ClickException(
            f"No task run of '{history.flow_run.name}' began: there is nothing to plan."
        )
    shortest = critical_path(work, overhead=overhead)
    best = None
    if deadline is not None:
        best = fewest_workers(work, deadline, threads=threads, overhead=overhead)
    chosen = workers or (best.workers if best is not None else None)
    plans = [planned(work, n, threads=threads, overhead=overhead) for n in _sizes(work, threads, chosen)]
    took = history.states[-1].elapsed - history.states[0].elapsed
    heading = (
        f"{history.flow_run.name}: {len(work.pieces):,} task runs, {shown_length(work.total)} of work, "
        f"took {shown_length(took)}"
    )
    verdict = _verdict(deadline, best, shortest)
    if as_json:
        click.echo(json.dumps(_document(plans, shortest, deadline, best)))
    else:
        _print(heading, plans, shortest, chosen, verdict)
    if html is not None:
        html.write_text(plan_page(heading, verdict, plans, shortest, chosen), encoding="utf-8")
    if deadline is not None and best is None:
        raise SystemExit(1)


def _sizes(work: Work, threads: int, chosen: int | None) -> list[int]:
    """Powers of two until more workers than tasks are of no use, and the number that was asked for."""
    most = max(1, -(-len(work.pieces) // threads))
    sizes = [2**power for power in range(11) if 2**power < 2 * most]
    return sorted({*sizes, *([chosen] if chosen is not None else [])})


def _verdict(deadline: float | None, best: Plan | None, shortest: Plan) -> str:
    if deadline is None:
        return ""
    if best is not None:
        return f"For {shown_length(deadline)}: {best.workers:,} workers ({shown_length(best.makespan)})."
    return (
        f"No number of workers ends within {shown_length(deadline)}: the critical path alone takes "
        f"{shown_length(shortest.makespan)}."
    )


def _print(heading: str, plans: Sequence[Plan], shortest: Plan, chosen: int | None, verdict: str) -> None:
    click.echo(f"{heading}\n")
    click.echo("workers    makespan  utilisation")
    longest = max(plan.makespan for plan in plans)
    for plan in plans:
        bar = "█" * max(1, round(_COLUMNS * plan.makespan / longest)) if longest else ""
        mark = "<" if plan.workers == chosen else ""
        figures = f"{plan.workers:>7,}  {shown_length(plan.makespan):>10}  {plan.utilisation:>10.0%}"
        click.echo(f"{figures}   {bar} {mark}".rstrip())
    for plan in plans:
        if plan.workers == chosen:
            slots = plan.workers * plan.threads
            levels = [min(8, round(8 * busy / slots)) for busy in plan.busy(2 * _COLUMNS)]
            click.echo(f"\n{plan.workers:,} workers at work over {shown_length(plan.makespan)}:")
            click.echo("".join(_BLOCKS[level] for level in levels))
    chain = [piece.name for piece in shortest.chain]
    more = f" ... {len(chain) - _MOST} more" if len(chain) > _MOST else ""
    click.echo(f"\nCritical path, {shown_length(shortest.makespan)}: {' -> '.join(chain[:_MOST])}{more}")
    if verdict:
        click.echo(verdict)


def _document(
    plans: Sequence[Plan], shortest: Plan, deadline: float | None, best: Plan | None
) -> dict[str, object]:
    return {
        "plans": [
            {
                "workers": plan.workers,
                "threads": plan.threads,
                "makespan": plan.makespan,
                "utilisation": plan.utilisation,
            }
            for plan in plans
        ],
        "critical_path": {
            "seconds": shortest.makespan,
            "task_runs": [piece.name for piece in shortest.chain],
        },
        "deadline": deadline,
        "fewest_workers": None if best is None else best.workers,
    }
