"""``python -m benchmarks``: hold the contests, show a table, and write it into the docs if asked to."""

import importlib
import logging
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.contests import Row, held
from benchmarks.dash import PageLoad, page_loads
from benchmarks.memory import Holding, holdings

MODULES = (
    "dash",
    "dask",
    "engine",
    "imports",
    "marks",
    "memory",
    "planning",
    "plugin",
    "prefect",
    "ray",
    "schedules",
    "searches",
    "store",
)
COLUMNS = ("what", "contestant", "CPU", "wall", "ours / its CPU", "ours / its wall", "promised")


@click.command()
@click.argument("modules", nargs=-1, type=click.Choice(MODULES))
@click.option("--only", default="", help="Hold the contests with this in their names.")
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    help="Put the table into this page, at its markers; what else is there stays.",
)
def main(modules: tuple[str, ...], only: str, write: Path | None) -> None:
    """Measure what the project costs beside what it stands on. Without MODULES: everything."""
    logging.getLogger("flows").setLevel(logging.WARNING)
    console = Console(stderr=True)
    lines: list[tuple[str, ...]] = []
    for name in modules or MODULES:
        if name == "memory":
            lines.extend(_holding_line(each) for each in holdings() if only in each.name)
            continue
        if name == "dash":
            lines.extend(_load_line(each) for each in page_loads())
            continue
        for contest in importlib.import_module(f"benchmarks.{name}").contests():
            if only in contest.name:
                with console.status(contest.name):
                    rows = held(contest)
                lines.extend(_line(row) for row in rows)
    _show(lines)
    if write is not None:
        _write(write, lines)


def _line(row: Row) -> tuple[str, ...]:
    first = row.cpu_ratio is None
    return (
        row.contest.name if first else "",
        row.contestant,
        _duration(row.cpu, row.contest.unit),
        _duration(row.wall, row.contest.unit),
        _ratio(row.cpu_ratio),
        _ratio(row.wall_ratio),
        row.contest.promised if first else "",
    )


def _holding_line(holding: Holding) -> tuple[str, ...]:
    return holding.name, "flow", f"{holding.bytes:,.0f} B / {holding.unit}", "", "", "", holding.promised


def _load_line(load: PageLoad) -> tuple[str, ...]:
    return load.name, load.moment, "", f"{load.milliseconds:.0f} ms / load", "", "", load.promised


def _duration(microseconds: float, unit: str) -> str:
    shown = f"{microseconds / 1000:.1f} ms" if microseconds >= 10_000 else f"{microseconds:.1f} µs"
    return f"{shown} / {unit}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"1 / {1 / ratio:,.0f}"


def _show(lines: Iterable[tuple[str, ...]]) -> None:
    table = Table(*COLUMNS)
    for line in lines:
        table.add_row(*line)
    console = Console()
    if not console.is_terminal:  # a file has no width
        console.width = 180
    console.print(table)


def _write(page: Path, lines: Iterable[tuple[str, ...]]) -> None:
    """Put the contests into the page's table: in place of those with the same names, or at its end."""
    text = page.read_text()
    before, found, rest = text.partition(_BEGIN)
    table, ended, after = rest.partition(_END)
    if not found or not ended:
        sys.exit(f"{page} has no place for the table: it needs the lines {_BEGIN} and {_END}")
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    groups = _groups(rows) | _groups([f"| {' | '.join(line)} |" for line in lines])
    machine = f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}"
    head = [f"Measured with {machine}.", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    body = [row for group in groups.values() for row in group]
    page.write_text(f"{before}{_BEGIN}\n" + "\n".join([*head, *body]) + f"\n{_END}{after}")


def _groups(rows: Iterable[str]) -> dict[str, list[str]]:
    """The rows of each contest, by its name, which is in the first of them."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        name = row.split("|")[1].strip()
        if name:
            groups[name] = current = []
        current.append(row)
    return groups


_BEGIN, _END = "<!-- table -->", "<!-- end of table -->"


if __name__ == "__main__":
    main()
