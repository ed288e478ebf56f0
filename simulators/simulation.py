"""A simulation: the scheduler, and the environment that the engine finds instead of the real one."""

from collections.abc import Callable
from uuid import UUID

from runtime.context import Environment
from runtime.history import FlowRunHistory, HistoryStore, StateChange, history_of
from runtime.runs import FlowRun
from simulators.clocks import VirtualClock
from simulators.faults import Faults
from simulators.identities import SeededIdentities
from simulators.pacing import Pace
from simulators.patches.locks import SimulatedRLock
from simulators.schedules import Points
from simulators.scheduling import Scheduler
from simulators.stacks import Stacks, carriers
from simulators.standstill import explain
from simulators.strategies import Strategy
from simulators.surroundings import scheduler_here
from simulators.threads import SimulatedThreads

#: operations that one run may do; a run that does more goes on for ever, as far as anybody can tell
STEP_LIMIT = 200_000
NO_FAULTS = Faults()


class DriverCrash(BaseException):
    """The process that was simulated has ended, in the middle of what it did."""


class Simulation:
    """What stays the same for all runs of an exploration: one of each, made once."""

    def __init__(
        self,
        points: Points,
        seed: int = 0,
        stacks: Stacks = "greenlets",
        store: HistoryStore | None = None,
        limit: int = STEP_LIMIT,
        *,
        faults: Faults = NO_FAULTS,
        looks_inside: bool = False,
    ) -> None:
        """``looks_inside``: whether points lie in the runtime's own code, also where it holds its locks."""
        self.seed = seed
        #: what may go wrong
        self.faults = faults
        self.carriers = carriers(stacks)
        self.scheduler = Scheduler(self.carriers, points, limit)
        self.scheduler.stuck = explain
        self.scheduler.seed = seed
        self.scheduler.most_strikes = faults.most if faults else 0
        self.identities = SeededIdentities(seed, _kept if store is not None else None)
        self.scheduler.path_of = self.identities.path
        self.histories = Histories()
        #: what holds attempts back until the time that was recorded
        self.pace: Pace | None = None
        self.environment = Environment(
            clock=VirtualClock(self.scheduler),
            identities=self.identities,
            threads=SimulatedThreads(self.scheduler, SimulatedRLock)
            if looks_inside
            else SimulatedThreads(self.scheduler),
            store=store or self.histories,
        )
        _simulations[self.scheduler] = self

    def begin(self, strategy: Strategy) -> None:
        """Forget the last run."""
        self.scheduler.begin(strategy)
        self.pace = Pace(strategy.timeline, self.scheduler) if strategy.timeline is not None else None
        self.scheduler.time_limit = self.pace.limit if self.pace is not None else None
        self.identities.begin()
        self.histories.begin_again()

    def crash_after(self, changes: int) -> None:
        """Let the process that is simulated end when so many state changes were written."""

        def crash() -> None:
            self.scheduler.crash(DriverCrash(f"The process ended after {changes} state changes."))

        self.histories.limit = changes
        self.histories.at_limit = crash

    def close(self) -> None:
        """Give back everything."""
        self.carriers.close()
        _simulations.pop(self.scheduler, None)


def simulation_here() -> Simulation | None:
    """The simulation that the calling code runs in, if it does."""
    scheduler = scheduler_here()
    return _simulations.get(scheduler) if scheduler is not None else None


#: outermost runs of each flow in this process, as far as their histories went to a store that lasts
_kept: dict[str, int] = {}
_simulations: dict[Scheduler, Simulation] = {}


class Histories:
    """A history store for one simulated run at a time."""

    secures_every_end = False
    keeps_log = False

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget the last run."""
        self.known_flow_runs: list[FlowRun] = []
        self.changes: list[StateChange] = []
        #: how many changes are written before ``at_limit`` is called; nothing is kept of those that follow
        self.limit: int | None = None
        self.at_limit: Callable[[], object] = _nothing

    def begin(self, flow_run: FlowRun, stop: Callable[[], object] | None = None) -> None:  # noqa: ARG002
        """Expect changes of this run, and of its task runs."""
        self.known_flow_runs.append(flow_run)

    def append(self, change: StateChange) -> None:
        """Keep one more change."""
        if self.limit is not None and len(self.changes) >= self.limit:
            return
        self.changes.append(change)
        if len(self.changes) == self.limit:
            self.at_limit()

    def log(self, flow_run_id: UUID, run_id: UUID, at: float, level: int, message: str) -> None:
        """Keeps no log."""

    def commit(self, flow_run_id: UUID) -> None:
        """Memory is as safe as it gets."""

    async def commit_async(self, flow_run_id: UUID) -> None:
        """Memory is as safe as it gets."""

    def flow_runs(self) -> list[FlowRun]:
        """The outermost flow runs, oldest first."""
        return [run for run in self.known_flow_runs if run.parent_id is None]

    def history(self, flow_run_id: UUID) -> FlowRunHistory:
        """All that happened to a flow run. Raises ``KeyError``."""
        for flow_run in self.known_flow_runs:
            if flow_run.id == flow_run_id:
                return history_of(flow_run, self.changes, self.known_flow_runs)
        raise KeyError(flow_run_id)


def _nothing() -> None:
    return None
