"""Searching for a schedule under which a test fails."""

import gc
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from types import ModuleType
from typing import Any

from runtime.history import FlowRunHistory
from simulators.clusters import SimulatedCluster
from simulators.conditions import Conditions
from simulators.exceptions import Livelock, SimulatorError
from simulators.execution import Execution, Executor, Test
from simulators.failures import Failure, FailureFound
from simulators.faults import Risks, faults_of
from simulators.places import place_of
from simulators.races import DataRace, stacks_kept
from simulators.schedules import Points, Runner, Schedule
from simulators.simulation import STEP_LIMIT
from simulators.stacks import Stacks
from simulators.strategies import (
    DPOR,
    NEAR,
    Exhaustive,
    Fifo,
    Misfortune,
    Near,
    Replay,
    Strategy,
    strategy_called,
)

#: schedules that a sampling strategy tries where nobody says how many
DEFAULT_SCHEDULES = 200
#: races that are told one by one
MOST_RACES = 100
#: schedules after which the youngest garbage is collected
_COLLECT_EVERY = 50


class Exploration:
    """What came of trying many schedules."""

    def __init__(self, seed: int, points: Points, strategy: str) -> None:
        self.seed = seed
        self.points: Points = points
        self.strategy = strategy
        #: how many schedules were tried
        self.executions = 0
        self.failures: list[Failure] = []
        #: whether these were all schedules that there are at this level of detail
        self.complete = False
        #: what the test returned or raised, with counts
        self.outcomes: Counter[Any] = Counter()
        #: how many different orders of state changes were seen
        self.distinct_histories = 0
        #: code whose statements should have been points and are not, and why
        self.unmarked: list[str] = []
        #: two accesses that nothing orders, one of them a write; each pair of places once
        self.races: list[DataRace] = []
        #: what took real time, and where: a lock that the simulation does not know, or a long computation
        self.outside_control: list[str] = []

    @property
    def certificate(self) -> str:
        """What has been shown, and no more than that."""
        return "; ".join([self._shown, *self._left_out])

    @property
    def _left_out(self) -> list[str]:
        races = f"{len(self.races)} data races" if self.races else ""
        without = f"{len(self.unmarked)} pieces of code without points (unmarked)" if self.unmarked else ""
        beyond = f"{len(self.outside_control)} lines outside control" if self.outside_control else ""
        return [part for part in (races, without, beyond) if part]

    @property
    def _shown(self) -> str:
        found = f"{len(self.failures)} failing" if self.failures else "no failure"
        if self.complete:
            kind = "trace" if self.strategy == DPOR.name else "interleaving"
            every = f"the only {kind}" if self.executions == 1 else f"all {self.executions} {kind}s"
            return f"{every} at points={self.points}: {found}"
        if self.failures or not self.executions:
            return f"{found} in {self.executions} schedules ({self.strategy})"
        # The rule of three: what happens in more than 3/n of all schedules is missed n times by chance in 20.
        return (
            f"no failure in {self.executions} schedules ({self.strategy}); a failure that one schedule in "
            f"{max(1, round(self.executions / 3))} of this strategy shows is missed with a chance of 5 %"
        )

    def __repr__(self) -> str:
        return f"<Exploration {self.certificate}>"


def explore(
    test: Test,
    *,
    strategy: str | Strategy = "portfolio",
    schedules: int | None = None,
    seed: int = 0,
    points: Points = "statements",
    faults: Risks = (),
    cluster: SimulatedCluster | None = None,
    runner: Runner = "simulated",
    near: Schedule | FlowRunHistory | str | None = None,
    stop_on_failure: bool = True,
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
) -> Exploration:
    """Run ``test`` under many schedules and say what came of it.

    Args:
        test: a callable without arguments, sync or async; it fails by raising. It must make anew whatever
            it changes.
        strategy: a name, or a strategy of your own.
        schedules: how many to try; None: 200, and all of them for an exhaustive search; with ``near`` 300
            more.
        seed: where chance comes from, the strategy's and the test's.
        points: where a switch may happen.
        faults: what may go wrong on workers: a list, of which one happens in a run at most, ``at_most(...)``
            or ``"any"``.
        cluster: the workers that tasks run on; None: they run in this process, unless there are faults.
        runner: ``"declared"`` runs the declared task runners' own code.
        near: a schedule, its token, or the history of a flow run that was recorded anywhere. The first
            schedule is that, the first 300 are like it, and ``strategy`` decides the rest. Seed and points
            are those of a schedule.
        stop_on_failure: whether the first failure is enough.
        stacks: ``"threads"`` for code that depends on which thread it is on.
        step_limit: operations after which a run is said to go on for ever.
        allow: what the test may have of the world outside, ``"sockets"`` or ``"processes"``.
        modules: whose statements are points; None: those of the project that the test belongs to.
    """
    if schedules is not None and schedules < 1:
        raise SimulatorError(f"schedules must be 1 or more, or None, not {schedules}")
    risks = faults_of(faults)
    chosen = strategy_called(strategy, seed)
    if risks and not chosen.strikes:
        chosen = Misfortune(chosen, seed, risks.most)
    limit = schedules if schedules is not None else _limit(chosen)
    if near is not None:
        if risks or cluster is not None:
            raise SimulatorError("near= goes without faults and clusters: what was lost then is lost again.")
        centre = _schedule_of(near, points, seed)
        chosen = Near(centre, chosen, seed)
        limit = NEAR + limit if schedules is None and limit is not None else limit
        points, seed, runner = centre.points, centre.seed, centre.runner
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
    )
    exploration = Exploration(seed, points, chosen.name)
    seen: set[int] = set()
    outside: dict[str, None] = {}
    exact = True
    with conditions.executor(test) as executor:
        while limit is None or exploration.executions < limit:
            if not chosen.begin():
                exploration.complete = chosen.exhausts and exact and executor.has_points
                break
            execution = executor.run(chosen)
            chosen.end(execution)
            exploration.executions += 1
            exploration.outcomes[execution.outcome] += 1
            seen.add(execution.outline)
            cut = isinstance(execution.error, Livelock)
            exact = exact and not (cut or execution.favours or execution.outside_control)
            outside.update(dict.fromkeys(execution.outside_control))
            if exploration.executions % _COLLECT_EVERY == 0:
                gc.collect(0)
            _keep_races(exploration.races, execution, executor)
            if execution.failed:
                exploration.failures.append(Failure(execution, exploration.executions, test, conditions))
                if stop_on_failure:
                    break
    exploration.unmarked = executor.unmarked
    exploration.outside_control = list(outside)
    exploration.distinct_histories = len(seen)
    return exploration


def check(
    test: Test,
    *,
    strategy: str | Strategy = "portfolio",
    schedules: int | None = None,
    seed: int = 0,
    points: Points = "statements",
    faults: Risks = (),
    cluster: SimulatedCluster | None = None,
    runner: Runner = "simulated",
    near: Schedule | FlowRunHistory | str | None = None,
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
) -> Exploration:
    """Raise :class:`FailureFound` where ``test`` fails under some schedule. See :func:`explore`."""
    exploration = explore(
        test,
        strategy=strategy,
        schedules=schedules,
        seed=seed,
        points=points,
        faults=faults,
        cluster=cluster,
        runner=runner,
        near=near,
        stacks=stacks,
        step_limit=step_limit,
        allow=allow,
        modules=modules,
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
    stacks: Stacks = "greenlets",
    allow: Collection[str] = (),
    modules: Iterable[ModuleType] | None = None,
) -> Execution:
    """Run ``test`` once under a schedule, or its token. Does not raise what the test raises.

    ``faults`` and ``cluster`` are those that it was found with; a schedule says no more than which struck.
    Where the code is not what it was, ``divergence`` says at which decision the record was left.
    """
    followed = Schedule.parse(schedule) if isinstance(schedule, str) else schedule
    chosen = None if modules is None else tuple(modules)
    conditions = Conditions.of(
        followed, stacks=stacks, allow=allow, modules=chosen, cluster=cluster, faults=faults_of(faults)
    )
    strategy = Replay(followed)
    with conditions.executor(test) as executor:
        strategy.begin()
        return executor.run(strategy)


def _keep_races(races: list[DataRace], execution: Execution, executor: Executor) -> None:
    """Add those that are new, with stacks: the run is made once more to see them."""
    if not execution.racing or len(races) >= MOST_RACES:
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


def _limit(strategy: Strategy) -> int | None:
    return None if isinstance(strategy, DPOR | Exhaustive | Fifo | Replay) else DEFAULT_SCHEDULES
