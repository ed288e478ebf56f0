"""Searching for a schedule under which a test fails."""

import gc
from collections import Counter
from collections.abc import Collection, Generator, Iterable
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

from runtime.context import environment
from runtime.hooks import hookimpl, plugins
from simulators.exceptions import SimulatorError
from simulators.execution import Execution, Executor, Test
from simulators.failures import Failure, FailureFound
from simulators.patches import patched
from simulators.runner import SimulatedTaskRunner
from simulators.schedules import Points, Runner, Schedule
from simulators.scheduling import LEVELS, active
from simulators.simulation import STEP_LIMIT, Simulation, simulation_here
from simulators.stacks import Stacks
from simulators.strategies import Exhaustive, Fifo, Replay, Strategy, strategy_called

#: schedules that a sampling strategy tries where nobody says how many
DEFAULT_SCHEDULES = 200
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

    @property
    def certificate(self) -> str:
        """What has been shown, and no more than that."""
        found = f"{len(self.failures)} failing" if self.failures else "no failure"
        if self.complete:
            return f"all {self.executions} interleavings at points={self.points}: {found}"
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
    faults: Iterable[Any] = (),
    runner: Runner = "simulated",
    stop_on_failure: bool = True,
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
) -> Exploration:
    """Run ``test`` under many schedules and say what came of it.

    Args:
        test: a callable without arguments, sync or async; it fails by raising. It must make anew whatever
            it changes.
        strategy: a name, or a strategy of your own.
        schedules: how many to try; None: 200, and all of them for an exhaustive search.
        seed: where chance comes from, the strategy's and the test's.
        points: where a switch may happen.
        faults: what may go wrong.
        runner: ``"declared"`` runs the declared task runners' own code.
        stop_on_failure: whether the first failure is enough.
        stacks: ``"threads"`` for code that depends on which thread it is on.
        step_limit: operations after which a run is said to go on for ever.
        allow: what the test may have of the world outside, ``"sockets"`` or ``"processes"``.
    """
    _check(points, schedules, faults)
    chosen = strategy_called(strategy, seed)
    limit = schedules if schedules is not None else _limit(chosen)
    exploration = Exploration(seed, points, chosen.name)
    seen: set[int] = set()
    again = partial(_executor, test, points, seed, runner, stacks, step_limit, allow)
    name = getattr(test, "__name__", type(test).__name__)
    with again() as executor:
        while limit is None or exploration.executions < limit:
            if not chosen.begin():
                exploration.complete = chosen.exhausts
                break
            execution = executor.run(chosen)
            chosen.end(execution)
            exploration.executions += 1
            exploration.outcomes[execution.outcome] += 1
            seen.add(execution.outline)
            if exploration.executions % _COLLECT_EVERY == 0:
                gc.collect(0)
            if execution.failed:
                exploration.failures.append(Failure(execution, exploration.executions, name, again))
                if stop_on_failure:
                    break
    exploration.distinct_histories = len(seen)
    return exploration


def check(
    test: Test,
    *,
    strategy: str | Strategy = "portfolio",
    schedules: int | None = None,
    seed: int = 0,
    points: Points = "statements",
    faults: Iterable[Any] = (),
    runner: Runner = "simulated",
    stacks: Stacks = "greenlets",
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
) -> Exploration:
    """Raise :class:`FailureFound` where ``test`` fails under some schedule. See :func:`explore`."""
    exploration = explore(
        test,
        strategy=strategy,
        schedules=schedules,
        seed=seed,
        points=points,
        faults=faults,
        runner=runner,
        stacks=stacks,
        step_limit=step_limit,
        allow=allow,
    )
    if exploration.failures:
        failure = exploration.failures[0]
        raise FailureFound(failure) from failure.error
    return exploration


def replay(
    test: Test, schedule: Schedule | str, *, stacks: Stacks = "greenlets", allow: Collection[str] = ()
) -> Execution:
    """Run ``test`` once under a schedule, or its token. Does not raise what the test raises."""
    followed = Schedule.parse(schedule) if isinstance(schedule, str) else schedule
    strategy = Replay(followed)
    with _executor(test, followed.points, followed.seed, followed.runner, stacks, allow=allow) as executor:
        strategy.begin()
        return executor.run(strategy)


@contextmanager
def _executor(
    test: Test,
    points: Points,
    seed: int,
    runner: Runner,
    stacks: Stacks,
    step_limit: int = STEP_LIMIT,
    allow: Collection[str] = (),
) -> Generator[Executor]:
    """A simulation with everything in place, for as many runs as one likes."""
    if simulation_here() is not None:
        raise SimulatorError(
            "This is called in a simulated run; an exploration cannot begin inside of another."
        )
    simulation = Simulation(points, seed, stacks, limit=step_limit)
    with ExitStack() as around:
        around.callback(simulation.close)
        around.enter_context(environment(**_parts(simulation)))
        context = simulation.scheduler.context = copy_context()
        if runner == "simulated":
            around.enter_context(_simulated_runners())
        around.enter_context(patched(allow))
        around.enter_context(active(simulation.scheduler))
        around.enter_context(_without_collections())
        yield Executor(simulation, test, context, runner)


def _parts(simulation: Simulation) -> dict[str, Any]:
    made = simulation.environment
    return {"clock": made.clock, "identities": made.identities, "threads": made.threads, "store": made.store}


@contextmanager
def _simulated_runners() -> Generator[None]:
    """Every flow of a simulated run gets a simulated task runner."""
    plugin = _RunnerChoice()
    plugins().register(plugin)
    try:
        yield
    finally:
        plugins().unregister(plugin)


class _RunnerChoice:
    def __init__(self) -> None:
        self._runner = SimulatedTaskRunner()

    @hookimpl(tryfirst=True)
    def flows_select_task_runner(self, flow: str, declared: Any) -> Any:
        del flow, declared
        return self._runner if simulation_here() is not None else None


@contextmanager
def _without_collections() -> Generator[None]:
    """No garbage is collected at points that nobody chose.

    What is there already is set aside, so that collections between schedules stay short.
    """
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def _limit(strategy: Strategy) -> int | None:
    return None if isinstance(strategy, Exhaustive | Fifo | Replay) else DEFAULT_SCHEDULES


def _check(points: Points, schedules: int | None, faults: Iterable[Any]) -> None:
    if points not in LEVELS:
        raise SimulatorError(f"Points are {', '.join(LEVELS)}, not {points!r}")
    if schedules is not None and schedules < 1:
        raise SimulatorError(f"schedules must be 1 or more, or None, not {schedules}")
    if tuple(faults):
        raise SimulatorError("Faults are not simulated yet")
