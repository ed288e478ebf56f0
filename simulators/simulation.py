"""A simulation: the scheduler, and the environment that the engine finds instead of the real one."""

import threading
from functools import partial

from runtime.context import Environment
from runtime.history import HistoryStore
from runtime.runs import FlowRun, TaskRun
from simulators.clocks import VirtualClock
from simulators.exceptions import SimulatorError
from simulators.faults import Faults, StoreFailure
from simulators.identities import SeededIdentities
from simulators.pacing import Pace
from simulators.patches.locks import SimulatedRLock
from simulators.schedules import Points
from simulators.scheduling import Scheduler
from simulators.stacks import Stacks, carriers
from simulators.standstill import explain
from simulators.stores import Histories
from simulators.strategies import Strategy
from simulators.stubs import RecordedStubs
from simulators.surroundings import scheduler_here
from simulators.threads import SimulatedThreads

#: operations that one run may do; a run that does more goes on for ever, as far as anybody can tell
STEP_LIMIT = 200_000
NO_FAULTS = Faults()


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
        stubs: RecordedStubs | None = None,
        looks_inside: bool = False,
    ) -> None:
        """``stubs`` are called in place of tasks.

        ``looks_inside``: whether points lie in the runtime's own code, also where it holds its locks.
        """
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
        struck = faults.at_writes
        self.histories = Histories(self.scheduler if struck else None)
        #: what holds attempts back until the time that was recorded
        self.pace: Pace | None = None
        threads = SimulatedThreads(self.scheduler, SimulatedRLock if looks_inside else threading.RLock)
        if struck:
            threads.watch(self._change_written)
        self.environment = Environment(
            clock=VirtualClock(self.scheduler),
            identities=self.identities,
            threads=threads,
            store=store or self.histories,
            stub=stubs.stub(self.identities.path, lambda: self.scheduler.now) if stubs is not None else None,
        )
        _simulations[self.scheduler] = self

    def begin(self, strategy: Strategy) -> None:
        """Forget the last run."""
        self.scheduler.begin(strategy)
        self.pace = Pace(strategy.timeline, self.scheduler) if strategy.timeline is not None else None
        self.scheduler.time_limit = self.pace.limit if self.pace is not None else None
        self.identities.begin()
        self.histories.begin_again()

    def _change_written(self) -> None:
        """The journal's lock was given back: where a state change was written, something may go wrong."""
        histories, scheduler = self.histories, self.scheduler
        run, histories.written = histories.written, None
        if run is None:
            return
        flow_run = histories.outermost(run)
        has_ended = run is flow_run and histories.history(run.id).states[-1].state.is_final()
        name = scheduler.risk(self._offered(run, has_ended=has_ended), holds=True)
        if name is None:
            return
        if isinstance(self.faults.of(name), StoreFailure):
            histories.fail(flow_run)
            # Not here: whoever writes a change is not done with it yet.
            lane = scheduler.new_lane(f"{self.identities.path(flow_run)}!stop")
            scheduler.spawn(lane, partial(histories.stop, flow_run), "alarm")
            return
        if name == "DriverCrash.torn":
            histories.lose(flow_run)
        scheduler.end_process()

    def _offered(self, run: FlowRun | TaskRun, *, has_ended: bool) -> list[str]:
        """What may go wrong now that a change of the run was written."""
        offered = self.faults.offered("written", self.identities.path(run))
        if self.scheduler.process is None and any(name.startswith("DriverCrash") for name in offered):
            self.scheduler.refusal = SimulatorError(
                "DriverCrash strikes flows that see_through(flow, ...) calls: nobody else goes on after it."
            )
        # A flow run whose end is written has done all that it had to.
        return [name for name in offered if not (has_ended and name == "DriverCrash.written")]

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
