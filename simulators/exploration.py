"""Searching for a schedule under which a test fails."""

import gc
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from types import ModuleType
from typing import Any

from runtime.history import FlowRunHistory
from simulators.certificates import Certificate
from simulators.clusters import SimulatedCluster
from simulators.conditions import Conditions
from simulators.exceptions import SimulatorError
from simulators.execution import Execution, Executor, Test
from simulators.failures import Failure, FailureFound
from simulators.faults import Risks, faults_of
from simulators.places import place_of
from simulators.races import DataRace, stacks_kept
from simulators.schedules import Points, Runner, Schedule
from simulators.sharing import COLLECT_EVERY, Finding, Workers, check_processes
from simulators.simulation import STEP_LIMIT
from simulators.stacks import Stacks
from simulators.strategies import (
    DPOR,
    NEAR,
    Fifo,
    Misfortune,
    Near,
    Replay,
    Strategy,
    strategy_called,
)
from simulators.stubs import RecordedStubs

#: schedules that a sampling strategy tries where nobody says how many
DEFAULT_SCHEDULES = 200
#: seconds after which an exhaustive search gives up where nobody says when
DEFAULT_SECONDS = 600.0
#: races that are told one by one
MOST_RACES = 100


class Exploration:
    """What came of trying many schedules."""

    def __init__(self, seed: int, points: Points, strategy: Strategy, bounds: Mapping[str, float]) -> None:
        self.seed = seed
        self.points: Points = points
        self.strategy = strategy.name
        self._chosen = strategy
        self._bounds = bounds
        #: why it is not complete, each reason once
        self.gaps: dict[str, None] = {}
        #: how many schedules were tried
        self.executions = 0
        self.failures: list[Failure] = []
        #: whether these were all schedules that there are at this level of detail
        self.complete = False
        #: what the test returned or raised, with counts
        self.outcomes: Counter[Any] = Counter()
        #: the files whose code had points of its own
        self.modules: list[str] = []
        #: code whose statements should have been points and are not, and why
        self.unmarked: list[str] = []
        #: two accesses that nothing orders, one of them a write; each pair of places once
        self.races: list[DataRace] = []
        self._outlines: set[int] = set()
        self._racing: set[Hashable] = set()
        self._outside: dict[str, None] = {}

    def count(self, finding: Finding) -> None:
        """Add what came of one more schedule."""
        self.executions += 1
        self.outcomes[finding.outcome] += 1
        self._outlines.add(finding.outline)
        self.gaps.update(dict.fromkeys(finding.gaps))
        self._outside.update(dict.fromkeys(finding.outside_control))

    def shows_races(self, execution: Execution) -> bool:
        """Whether there is a data race in it that was not seen before."""
        if execution.racing <= self._racing:
            return False
        self._racing |= execution.racing
        return True

    @property
    def distinct_histories(self) -> int:
        """How many different orders of state changes were seen."""
        return len(self._outlines)

    @property
    def outside_control(self) -> list[str]:
        """What took real time, and where: a lock that the simulation does not know, or a long computation."""
        return list(self._outside)

    @property
    def certificate(self) -> Certificate:
        """What has been shown, and no more than that."""
        chosen = self._chosen
        return Certificate(
            points=self.points,
            strategy=self.strategy,
            seed=self.seed,
            exhaustive=chosen.exhaustive,
            bounds={**self._bounds, **chosen.bounds},
            executions=self.executions,
            traces=self.executions - chosen.redundant if isinstance(chosen, DPOR) else None,
            failures=len(self.failures),
            races=len(self.races),
            modules=self.modules,
            unmarked=self.unmarked,
            outside_control=self.outside_control,
            gaps=tuple(self.gaps),
        )

    def __repr__(self) -> str:
        return f"<Exploration {self.certificate}>"


def explore(
    test: Test,
    *,
    strategy: str | Strategy = "portfolio",
    schedules: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    points: Points = "statements",
    faults: Risks = (),
    cluster: SimulatedCluster | None = None,
    runner: Runner = "simulated",
    near: Schedule | FlowRunHistory | str | None = None,
    stubs: RecordedStubs | None = None,
    stop_on_failure: bool = True,
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
    processes: int = 1,
    each: Callable[[Execution], None] | None = None,
) -> Exploration:
    """Run ``test`` under many schedules and say what came of it.

    Args:
        test: a callable without arguments, sync or async; it fails by raising. It must make anew whatever
            it changes.
        strategy: a name, or a strategy of your own.
        schedules: how many to try; None: 200, and all of them for an exhaustive search; with ``near`` 300
            more.
        seconds: real time after which no further schedule is begun; None: 600 for an exhaustive search.
        seed: where chance comes from, the strategy's and the test's.
        points: where a switch may happen.
        faults: what may go wrong on workers: a list, of which one happens in a run at most, ``at_most(...)``
            or ``"any"``.
        cluster: the workers that tasks run on; None: they run in this process, unless there are faults.
        runner: ``"declared"`` runs the declared task runners' own code.
        near: a schedule, its token, or the history of a flow run that was recorded anywhere. The first
            schedule is that, the first 300 are like it, and ``strategy`` decides the rest. Seed and points
            are those of a schedule.
        stubs: what recorded task runs are given in place of being called.
        stop_on_failure: whether the first failure is enough.
        stacks: ``"threads"`` for code that depends on which thread it is on.
        step_limit: operations after which a run is said to go on for ever.
        allow: what the test may have of the world outside, ``"sockets"`` or ``"processes"``.
        modules: whose statements are points; None: those of the project that the test belongs to.
        processes: how many worker processes share the search; what comes of it is the same. For strategies
            that decide a schedule by its number: ``"random"``, ``"pos"`` and ``"pct"``, without faults.
        each: hears of every execution as it ends, in one process.
    """
    if schedules is not None and schedules < 1:
        raise SimulatorError(f"schedules must be 1 or more, or None, not {schedules}")
    risks = faults_of(faults)
    chosen = strategy_called(strategy, seed)
    if risks and not chosen.strikes:
        chosen = Misfortune(chosen, seed, risks.most)
    limits = _limits(chosen, schedules, seconds)
    if near is not None:
        if risks or cluster is not None:
            raise SimulatorError("near= goes without faults and clusters: what was lost then is lost again.")
        centre = _schedule_of(near, points, seed)
        chosen = Near(centre, chosen, seed)
        if schedules is None and "schedules" in limits:
            limits["schedules"] += NEAR
        points, seed, runner = centre.points, centre.seed, centre.runner
    check_processes(processes, chosen)
    if processes > 1 and each is not None:
        raise SimulatorError("each= hears of executions in one process; leave it out, or processes.")
    conditions = Conditions(
        points=points,
        seed=seed,
        runner=runner,
        stacks=stacks,
        step_limit=step_limit,
        allow=allow,
        modules=None if modules is None else tuple(modules),
        cluster=cluster,
        faults=risks,
        stubs=stubs,
    )
    bounds = {"step_limit": step_limit, **limits, **({"faults": risks.most} if risks else {})}
    exploration = Exploration(seed, points, chosen, bounds)
    search = _Search(exploration, test, conditions, chosen, limits, each, stop_on_failure)
    search.run(processes)
    return exploration


def check(
    test: Test,
    *,
    strategy: str | Strategy = "portfolio",
    schedules: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    points: Points = "statements",
    faults: Risks = (),
    cluster: SimulatedCluster | None = None,
    runner: Runner = "simulated",
    near: Schedule | FlowRunHistory | str | None = None,
    stubs: RecordedStubs | None = None,
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
    processes: int = 1,
) -> Exploration:
    """Raise :class:`FailureFound` where ``test`` fails under some schedule. See :func:`explore`."""
    exploration = explore(
        test,
        strategy=strategy,
        schedules=schedules,
        seconds=seconds,
        seed=seed,
        points=points,
        faults=faults,
        cluster=cluster,
        runner=runner,
        near=near,
        stubs=stubs,
        stacks=stacks,
        step_limit=step_limit,
        allow=allow,
        modules=modules,
        processes=processes,
    )
    if exploration.failures:
        failure = exploration.failures[0]
        raise FailureFound(failure) from failure.error
    return exploration


def replay(
    test: Test,
    schedule: Schedule | str,
    *,
    faults: Risks = (),
    cluster: SimulatedCluster | None = None,
    stubs: RecordedStubs | None = None,
    stacks: Stacks = "greenlets",
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
) -> Execution:
    """Run ``test`` once under a schedule, or its token. Does not raise what the test raises.

    ``faults`` and ``cluster`` are those that it was found with; a schedule says no more than which struck.
    With ``stubs`` the task runs of a recorded flow run are given what came of them then, and are not called.
    Where the code is not what it was, ``divergence`` says at which decision the record was left.
    """
    followed = Schedule.parse(schedule) if isinstance(schedule, str) else schedule
    chosen = None if modules is None else tuple(modules)
    conditions = Conditions.of(
        followed,
        stacks=stacks,
        allow=allow,
        modules=chosen,
        cluster=cluster,
        faults=faults_of(faults),
        stubs=stubs,
    )
    strategy = Replay(followed)
    with conditions.executor(test) as executor:
        strategy.begin()
        return executor.run(strategy)


@dataclass
class _Search:
    """One search under way."""

    exploration: Exploration
    test: Test
    conditions: Conditions
    strategy: Strategy
    limits: Mapping[str, float]
    each: Callable[[Execution], None] | None
    stop_on_failure: bool
    #: which limit has ended it, in words
    met: str = ""
    began: float = field(default_factory=monotonic)

    def run(self, processes: int) -> None:
        """Search to the end.

        What a strategy learns from, and the first schedule, in which a test finds things as nobody has left
        them, are run here; what follows may be shared.
        """
        exploration = self.exploration
        first = inf if processes == 1 else max(1, self.strategy.learns)
        with self.conditions.executor(self.test) as executor:
            _warm_up(executor, self.strategy)
            ended = self._go_on(executor, first)
            exploration.modules = executor.modules
        if not ended:
            done = exploration.executions
            workers = Workers(processes, self.test, self.conditions, self.strategy, done)
            last = self.limits.get("schedules", inf)
            with workers.at_work(last), self.conditions.executor(self.test) as executor:
                self._go_on(executor, inf, workers)
                exploration.modules = executor.modules
        exploration.unmarked = executor.unmarked
        gaps = _gaps_of_search(self.strategy, self.met, has_points=executor.has_points)
        exploration.gaps.update(dict.fromkeys(gaps))
        exploration.complete = not exploration.gaps

    def _go_on(self, executor: Executor, last: float, workers: Workers | None = None) -> bool:
        """Count schedules up to that number; whether the search has come to its end."""
        exploration = self.exploration
        while exploration.executions < last:
            self.met = _met(self.limits, exploration.executions, monotonic() - self.began)
            if self.met or not self.strategy.begin():
                return True
            finding = workers.next() if workers is not None else None
            if finding is not None and not finding.remarkable:
                exploration.count(finding)
                continue
            failed = self._run(executor)
            if finding is not None and finding.failed and not failed:
                raise SimulatorError(
                    f"Schedule {exploration.executions} failed in a worker process and not in this one: the "
                    f"test is not deterministic, or does not make anew what it changes."
                )
            if failed and self.stop_on_failure:
                self.met = "it stopped at the first failure"
                return True
        return False

    def _run(self, executor: Executor) -> bool:
        """Run the schedule that has begun; whether it fails."""
        exploration = self.exploration
        execution = executor.run(self.strategy)
        self.strategy.end(execution)
        if self.each is not None:
            self.each(execution)
        exploration.count(Finding.of(execution))
        if exploration.shows_races(execution):
            _keep_races(exploration.races, execution, executor)
        if exploration.executions % COLLECT_EVERY == 0:
            gc.collect(0)
        if execution.failed:
            failure = Failure(execution, exploration.executions, self.test, self.conditions)
            exploration.failures.append(failure)
        return execution.failed


def _warm_up(executor: Executor, chosen: Strategy) -> None:
    """Run the test once for nothing: what it imports, and caches, it finds there from then on.

    A strategy that hears of events knows things by the order in which they are seen, the locks of imports
    among them.
    """
    if not chosen.hears:
        return
    usual = Fifo()
    usual.begin()
    executor.run(usual)


def _keep_races(races: list[DataRace], execution: Execution, executor: Executor) -> None:
    """Add those that are new, with stacks: the run is made once more to see them."""
    if len(races) >= MOST_RACES:
        return
    known = {race.places for race in races}
    if all(race.places in known for race in execution.races):
        return
    strategy = Replay(execution.schedule)
    strategy.begin()
    stacks: dict[tuple[str, str], Sequence[str]] = {}
    executor.run(strategy, stacks_kept(stacks, place_of))
    for race in execution.races:
        if race.places not in known:
            known.add(race.places)
            races.append(race.with_stacks(stacks))


def _schedule_of(near: Schedule | FlowRunHistory | str, points: Points, seed: int) -> Schedule:
    if isinstance(near, str):
        return Schedule.parse(near)
    return near if isinstance(near, Schedule) else Schedule.from_history(near, points=points, seed=seed)


def _limits(strategy: Strategy, schedules: int | None, seconds: float | None) -> dict[str, float]:
    """What ends the search, besides the strategy."""
    limits: dict[str, float] = {}
    if schedules is not None or not strategy.exhaustive:
        limits["schedules"] = DEFAULT_SCHEDULES if schedules is None else schedules
    if seconds is not None or strategy.exhaustive:
        limits["seconds"] = DEFAULT_SECONDS if seconds is None else seconds
    return limits


def _met(limits: Mapping[str, float], schedules: int, seconds: float) -> str:
    """Which limit is reached, in words; "" where none is."""
    if schedules >= limits.get("schedules", inf):
        return f"it stopped after {schedules} schedules (schedules={schedules})"
    if seconds >= limits.get("seconds", inf):
        return f"it stopped after {limits['seconds']:g} s (seconds={limits['seconds']:g}; give it more)"
    return ""


def _gaps_of_search(strategy: Strategy, met: str, *, has_points: bool) -> Iterator[str]:
    if met or not strategy.exhausts:
        yield met or strategy.cut
    if not has_points:
        yield "code has no points"
