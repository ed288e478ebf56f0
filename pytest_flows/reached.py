"""``--flows-report``: the lines that were reached under some task runners, or some schedules, only."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_flows.options import SIMULATED
from pytest_flows.sessions import measured_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter  # pytest 8.0 has it nowhere else
    from coverage import CoverageData

    from simulators import Execution

#: how a process of xdist tells the one that reports
_KEY = "flows_reached"
_NOTHING = (
    "No line was reached with a context: coverage is not measured (run pytest under `coverage run`, or with "
    "--cov), its contexts are somebody else's (--cov-context, dynamic_context), or its core has none "
    "(COVERAGE_CORE=ctrace does)."
)


@dataclass
class Reached:
    """Which lines were reached, and where: under task runners, and under schedules of simulated tests."""

    #: contexts for each line of each file
    lines: dict[tuple[str, int], set[str]] = field(default_factory=dict[tuple[str, int], set[str]])
    #: the schedules among the contexts, as tokens
    schedules: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, lines: Iterable[tuple[str, int, Iterable[str]]], schedules: dict[str, str]) -> None:
        """Add what one process has reached."""
        for file, line, contexts in lines:
            self.lines.setdefault((file, line), set()).update(contexts)
        self.schedules.update(schedules)

    def told(self, folder: Path) -> Iterator[str]:
        """The report; files are named as seen from ``folder``."""
        runners = {_runner(context) for contexts in self.lines.values() for context in contexts} - {""}
        if not runners:
            yield _NOTHING
            return
        yield f"under some task runners only (of {', '.join(sorted(runners))}):"
        yield from _listed(self._under_some(runners), folder)
        yield "under some schedules only:"
        yield from _listed(self._under_some_schedules(), folder)

    def _under_some(self, runners: set[str]) -> Iterator[tuple[str, int, str]]:
        for (file, line), contexts in self.lines.items():
            found = {_runner(context) for context in contexts}
            if "" not in found and found != runners:
                yield file, line, ", ".join(sorted(found))

    def _under_some_schedules(self) -> Iterator[tuple[str, int, str]]:
        tried: defaultdict[str, list[str]] = defaultdict(list)
        for context in self.schedules:
            tried[_test(context)].append(context)
        for (file, line), contexts in self.lines.items():
            if not contexts <= self.schedules.keys():
                continue
            for test, all_schedules in tried.items():
                here = [context for context in all_schedules if context in contexts]
                if here and len(here) < len(all_schedules):
                    share = f"{len(here)} of {len(all_schedules)}"
                    yield file, line, f"{share} of {test}, such as {self.schedules[here[0]]}"


@contextmanager
def schedules_measured(item: pytest.Item) -> "Generator[Callable[[Execution], None] | None]":
    """Let coverage say that lines are reached under simulation, and under which schedule if that is asked.

    Gives what is to be called with each execution.
    """
    measured = measured_of(item.config)
    if measured is None:
        around: Any = nullcontext()
    elif _is_asked_for(item.config):
        around = measured.within_schedules(item.nodeid)
    else:
        around = measured.within(SIMULATED)
    with around as each:
        yield each


def gather_coverage(config: pytest.Config) -> None:
    """Add to the coverage of this process what its workers have measured, and keep what the report needs."""
    measured = measured_of(config)
    if measured is None:
        return
    data = measured.gather()
    if _is_asked_for(config):
        _of(config).add(_lines(data), measured.schedules)
        output: dict[str, Any] | None = getattr(config, "workeroutput", None)  # in a process of xdist
        if output is not None:
            output[_KEY] = (list(_lines(data)), measured.schedules)


def take_over(node: Any) -> None:
    """Add what a process of xdist has reached."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})  # a process that crashed has none
    if _KEY in output:
        _of(node.config).add(*output[_KEY])


def report_reached(reporter: "TerminalReporter") -> None:
    """List lines that are reached under some task runners or schedules only, if that is asked for."""
    if _is_asked_for(reporter.config):
        reporter.section("flows report")
        for line in _of(reporter.config).told(reporter.config.rootpath):
            reporter.line(line)


def _lines(data: "CoverageData") -> Iterator[tuple[str, int, list[str]]]:
    for file in sorted(data.measured_files()):
        for line, contexts in sorted(data.contexts_by_lineno(file).items()):
            yield file, line, contexts


def _listed(found: Iterable[tuple[str, int, str]], folder: Path) -> Iterator[str]:
    """One line for each file and remark, with its lines as ranges."""
    together: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for file, line, remark in found:
        together[file, remark].append(line)
    if not together:
        yield "  none"
    for (file, remark), lines in sorted(together.items()):
        path = Path(file)
        shown = path.relative_to(folder) if path.is_relative_to(folder) else path
        yield f"  {shown}: {_ranges(sorted(lines))}  {remark}"


def _ranges(lines: list[int]) -> str:
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


def _runner(context: str) -> str:
    return context.partition("|")[0]


def _test(context: str) -> str:
    return context.partition("|")[2].rpartition("|")[0]


def _is_asked_for(config: pytest.Config) -> bool:
    given: bool | None = config.getoption("--flows-report")
    return given if given is not None else config.getini("flows_report")


def _of(config: pytest.Config) -> Reached:
    return config.stash.setdefault(_REACHED, Reached())


_REACHED = pytest.StashKey[Reached]()
