"""The simulated task runner: tasks take turns, in an order that a strategy decides."""

import asyncio
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

from runtime.context import Environment, current_environment
from runtime.envelope import Attempt
from runtime.lifecycle import Started
from runtime.logging import ENGINE
from runtime.task_runners import BaseTaskRunner, TaskConcurrencyType
from runtime.task_runners.loops import LoopAttempts
from simulators import clusters
from simulators.adoption import AdoptedLoop
from simulators.clusters import SimulatedCluster
from simulators.exceptions import SimulatorError
from simulators.faults import Risks, faults_of
from simulators.marked_points import marked_points
from simulators.marks import Project
from simulators.patches import patched
from simulators.schedules import Points, Schedule
from simulators.scheduling import OPERATIONS, Scheduler, level_of
from simulators.simulation import Simulation, simulation_here
from simulators.strategies import Misfortune, Replay, Strategy, strategy_called
from simulators.surroundings import active
from simulators.watchdog import watched


class SimulatedTaskRunner(BaseTaskRunner):
    """Runs tasks on stacks that take turns, in virtual time, as a strategy decides.

    In an exploration it belongs to that. Elsewhere each flow run is one simulated run: the calling flow is
    taken in as its first stack. Where ``schedule`` is given, it is followed, with its own seed and points, in
    place of ``strategy``. Points in code lie in the project of the current folder, but not in the flow's own
    function, which runs already when it is taken in.

    With a ``cluster``, attempts are made on its workers, as on Dask or Ray; without one, in this process.
    ``faults`` happen to attempts on a cluster: where there are some, and none is given, it is the usual one.
    """

    def __init__(
        self,
        strategy: str | Strategy = "fifo",
        seed: int = 0,
        schedule: Schedule | str | None = None,
        points: Points = "operations",
        faults: Risks = (),
        cluster: SimulatedCluster | None = None,
    ) -> None:
        risks = faults_of(faults)
        super().__init__(
            strategy=strategy, seed=seed, schedule=schedule, points=points, faults=risks, cluster=cluster
        )
        level_of(points)
        self._faults = risks
        if cluster is None and risks.on_workers:
            cluster = SimulatedCluster()
        self._cluster = cluster
        #: taken here, since what is imported in a simulated run takes locks that the next run does not
        self._new_flights = clusters.Flights if cluster is not None else None
        self._flights: clusters.Flights | None = None
        self._strategy = strategy
        self._seed = seed
        self._points: Points = points
        self._schedule = Schedule.parse(schedule) if isinstance(schedule, str) else schedule
        if self._schedule is not None:
            self._seed, self._points = self._schedule.seed, self._schedule.points
        self._replay: Replay | None = None
        self._simulation: Simulation | None = None
        self._own: Simulation | None = None

    @property
    def concurrency_type(self) -> TaskConcurrencyType:
        """Concurrent: tasks take turns. In an exploration, those on a cluster are parallel."""
        # Elsewhere the first stack must be taken in, and let out, by the very code that calls.
        parallel = self._cluster is not None and self._own is None
        return TaskConcurrencyType.PARALLEL if parallel else TaskConcurrencyType.CONCURRENT

    def brings_environment(self) -> Environment | None:
        """The environment of the simulation around, or else of one that begins here."""
        around = simulation_here()
        if around is None:
            around = self._own = self._new_simulation()
        self._simulation = around
        return around.environment

    def open(self) -> None:
        """Take the caller in, where there is no simulation around."""
        self._on_loops = LoopAttempts()
        if self._simulation is None:
            self.brings_environment()
        assert self._simulation is not None
        self._scheduler = self._simulation.scheduler
        self._left = ExitStack()
        if self._own is not None:
            self._take_in(self._own)
        if self._cluster is not None and self._new_flights is not None:
            self._flights = self._new_flights(
                self._cluster, self._scheduler, self._simulation.environment, self._simulation.faults
            )

    def close(self) -> None:
        """Let the caller go again. Raises what its own strategy raised in place of a choice."""
        if self._flights is not None:
            self._flights.close()
        self._left.close()
        if self._own is not None and self._replay is not None and (left := self._replay.left_over()):
            ENGINE.warning("The run left its schedule at %s", left)
        own, self._simulation, self._own, self._flights = self._own, None, None, None
        if own is not None and own.scheduler.refusal is not None:
            raise own.scheduler.refusal

    def submit(self, attempt: Attempt) -> None:
        """Make the attempt when the strategy says so."""
        if self._simulation is None:
            raise self.not_started()
        if self._flights is not None:
            self._flights.submit(attempt)
            return
        scheduler = self._scheduler
        pace = self._simulation.pace
        begins = pace.expect(attempt) if pace is not None else 0.0
        if attempt.guard is None:
            self._start(attempt, attempt.loop or self.loop(), begins - scheduler.now)
            return
        lane = scheduler.lane(scheduler.path_of(attempt.task_run))
        if scheduler.level >= OPERATIONS:
            attempt.report = partial(_finish, scheduler, attempt.report)
        stack = scheduler.spawn(lane, partial(attempt.run, "simulated"), at=begins)
        if scheduler.recorder is not None:
            scheduler.recorder.follows(stack, [given.task_run for given in attempt.task_run.inputs])
        if scheduler.level >= OPERATIONS:
            scheduler.pause("submit")

    def stop(self, attempt: Attempt) -> None:
        """Interrupt a sync attempt at its next point; cancel an async one."""
        if self._flights is not None:
            self._flights.stop(attempt)
        elif attempt.guard is None:
            self._on_loops.stop(attempt)
        else:
            attempt.guard.interrupt()

    def _start(self, attempt: Attempt, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        if delay <= 0:
            self._on_loops.start(attempt, loop)
        elif asyncio._get_running_loop() is loop:
            loop.call_later(delay, self._on_loops.start, attempt, loop)
        else:
            loop.call_soon_threadsafe(loop.call_later, delay, self._on_loops.start, attempt, loop)

    def _new_simulation(self) -> Simulation:
        if self._faults.at_writes:
            raise SimulatorError(
                "Faults of the driver and its store are for explore and check, not for a run."
            )
        store = current_environment().store
        simulation = Simulation(self._points, self._seed, store=store, faults=self._faults)
        if self._schedule is not None:
            strategy = self._replay = Replay(self._schedule)
        else:
            strategy = strategy_called(self._strategy, self._seed)
        if self._faults and not strategy.strikes:
            strategy = Misfortune(strategy, self._seed, self._faults.most)
        strategy.begin()
        simulation.begin(strategy)
        return simulation

    def _take_in(self, simulation: Simulation) -> None:
        scheduler = simulation.scheduler
        scheduler.context = copy_context()
        self._left.callback(simulation.close)
        self._left.enter_context(patched())
        self._left.enter_context(active(scheduler))
        self._left.enter_context(watched(scheduler))
        self._left.enter_context(marked_points(scheduler, Project(Path.cwd())))
        scheduler.adopt(scheduler.lane("main"))
        self._left.callback(scheduler.release)
        around = asyncio._get_running_loop()
        if around is not None:
            self._left.callback(AdoptedLoop(scheduler, around).let_out)


def _finish(scheduler: Scheduler, report: Any, event: Any) -> bool:
    if type(event) is not Started:
        scheduler.pause("finish")
    return report(event)
