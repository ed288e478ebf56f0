"""Contests: the same work done by several contestants, in turn, in one process."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field

import psutil

Work = Callable[[], object]


@dataclass(frozen=True)
class Contest:
    """One piece of work for each contestant; the first is ours, the others are its peers.

    All are run ``rounds`` times in alternation, after one round that does not count, so that whatever
    else the machine does hits all of them alike. Figures are for one of the ``units`` that the work has.
    """

    name: str
    unit: str
    units: int
    contestants: Mapping[str, Work]
    #: what was promised, in words
    promised: str = ""
    rounds: int = 7
    #: around the whole contest, such as a cluster that has to be there
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    #: seconds of CPU that everything under test has used so far
    cpu_time: Callable[[], float] = time.process_time


@dataclass
class Figures:
    """Seconds for one unit, in each round."""

    cpu: list[float] = field(default_factory=list[float])
    wall: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Row:
    """What is shown of one contestant: medians in microseconds, and our cost as a multiple of its own."""

    contest: Contest
    contestant: str
    cpu: float
    wall: float
    #: None for ourselves
    cpu_ratio: float | None
    wall_ratio: float | None


def held(contest: Contest) -> list[Row]:
    """Hold the contest; a row for each contestant.

    Ratios are medians of the ratios within each round, which a load that comes and goes disturbs least.
    """
    figures = {name: Figures() for name in contest.contestants}
    with contest.around():
        for turn in range(contest.rounds + 1):
            names = list(contest.contestants)
            for name in names if turn % 2 else reversed(names):
                cpu, wall = _measured(contest.contestants[name], contest.cpu_time)
                if turn:
                    figures[name].cpu.append(cpu / contest.units)
                    figures[name].wall.append(wall / contest.units)
    ours = figures[next(iter(figures))]
    return [
        Row(
            contest,
            name,
            statistics.median(each.cpu) * 1e6,
            statistics.median(each.wall) * 1e6,
            None if each is ours else _ratio(ours.cpu, each.cpu),
            None if each is ours else _ratio(ours.wall, each.wall),
        )
        for name, each in figures.items()
    ]


def family_cpu_time() -> float:
    """Seconds of CPU of this process and of all that descend from it."""
    total = time.process_time()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def _ratio(ours: list[float], theirs: list[float]) -> float | None:
    if not all(theirs):
        return None
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _measured(work: Work, cpu_time: Callable[[], float]) -> tuple[float, float]:
    gc.collect()
    gc.disable()
    try:
        cpu, wall = cpu_time(), time.perf_counter()
        work()
        return cpu_time() - cpu, time.perf_counter() - wall
    finally:
        gc.enable()
