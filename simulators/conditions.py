"""The conditions that a test is run under: everything that stays the same from schedule to schedule."""

import gc
import inspect
from collections.abc import Collection, Container, Generator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.context import environment
from runtime.hooks import hookimpl, plugins
from runtime.interrupts import SignalsHeld
from runtime.logging import configure_console
from runtime.results import result_storage
from simulators.clusters import SimulatedCluster
from simulators.exceptions import SimulatorError
from simulators.execution import Executor, Test
from simulators.faults import Faults
from simulators.marked_points import marked_points
from simulators.marks import Modules, Project
from simulators.patches import patched
from simulators.patches.logs import quiet_console
from simulators.runner import SimulatedTaskRunner
from simulators.schedules import Points, Runner, Schedule
from simulators.scheduling import level_of
from simulators.simulation import NO_FAULTS, STEP_LIMIT, Simulation, simulation_here
from simulators.stacks import Stacks
from simulators.stubs import RecordedStubs
from simulators.surroundings import active
from simulators.watchdog import watched

#: What the engine imports when it is first needed: in the first of many runs alone, it would be time that
#: passes in that one, and in no other.
_IMPORTED_LATE = ("runtime.parameters.validation", "runtime.task_runners.concurrent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How tests are simulated. Raises ``SimulatorError`` for conditions that there are not."""

    points: Points = "statements"
    seed: int = 0
    runner: Runner = "simulated"
    stacks: Stacks = "greenlets"
    #: operations after which a run is said to go on for ever
    step_limit: int = STEP_LIMIT
    #: what may be used although a simulation does not control it
    allow: Collection[str] = ()
    #: whose statements are points; None: those of the project that the test belongs to
    modules: tuple[ModuleType, ...] | None = None
    #: where tasks are run; None: in this process, unless something may go wrong on workers
    cluster: SimulatedCluster | None = None
    #: what may go wrong
    faults: Faults = NO_FAULTS
    #: what is given in place of calling tasks
    stubs: RecordedStubs | None = None

    def __post_init__(self) -> None:
        level_of(self.points)
        if self.runner == "declared" and (self.cluster is not None or self.faults.on_workers):
            raise SimulatorError(
                'With runner="declared" no task runs on a simulated cluster, and none has faults of workers'
            )

    @classmethod
    def of(cls, schedule: Schedule, **others: Any) -> "Conditions":
        """The conditions that a schedule was recorded under, and ``others`` that it does not know."""
        return cls(points=schedule.points, seed=schedule.seed, runner=schedule.runner, **others)

    @property
    def in_words(self) -> str:
        """What a replay has to be given besides the schedule, as arguments."""
        faults = f", faults={self.faults!r}" if self.faults else ""
        cluster = f", cluster={self.cluster!r}" if self.cluster is not None else ""
        stubs = f", stubs={self.stubs!r}" if self.stubs is not None else ""
        return f"{faults}{cluster}{stubs}"

    @contextmanager
    def executor(self, test: Test) -> Generator[Executor]:
        """A simulation with everything in place, for as many runs of ``test`` as one likes."""
        if simulation_here() is not None:
            raise SimulatorError(
                "This is called in a simulated run; an exploration cannot begin inside of another."
            )
        for name in _IMPORTED_LATE:
            import_module(name)
        configure_console()  # not in a simulated run, where its lock would be one that is waited for
        looks_inside = any(module.__name__.startswith("runtime") for module in self.modules or ())
        simulation = Simulation(
            self.points,
            self.seed,
            self.stacks,
            limit=self.step_limit,
            faults=self.faults,
            stubs=self.stubs,
            looks_inside=looks_inside,
        )
        with ExitStack() as around:
            around.callback(simulation.close)
            around.enter_context(environment(**_parts(simulation)))
            if self.stubs is not None:
                around.enter_context(result_storage(self.stubs.storage))
            context = simulation.scheduler.context = copy_context()
            if self.runner == "simulated":
                around.enter_context(_simulated_runners(self.faults, self.cluster))
            around.enter_context(patched(self.allow))
            around.enter_context(quiet_console())
            # Once for all schedules: each flow run would otherwise set the handlers, and put them back.
            around.enter_context(SignalsHeld())
            around.enter_context(active(simulation.scheduler))
            around.enter_context(watched(simulation.scheduler))
            executor = Executor(simulation, test, context, self.runner)
            around.enter_context(_without_collections())
            executor.marking = around.enter_context(marked_points(simulation.scheduler, self._files(test)))
            yield executor

    def _files(self, test: Test) -> Container[str]:
        """The files whose statements are points."""
        if self.modules is not None:
            return Modules(*self.modules)
        here = Path.cwd()
        file = _file_of(test)
        return Project(here if file is None or file.is_relative_to(here) else file.parent)


def _file_of(test: Test) -> Path | None:
    function = test.func if isinstance(test, partial) else inspect.unwrap(test)
    code = getattr(getattr(function, "fn", function), "__code__", None)
    return Path(code.co_filename).resolve() if code is not None else None


def _parts(simulation: Simulation) -> dict[str, Any]:
    made = simulation.environment
    return {field.name: getattr(made, field.name) for field in fields(made)}


@contextmanager
def _simulated_runners(faults: Faults, cluster: SimulatedCluster | None) -> Generator[None]:
    """Every flow of a simulated run gets a simulated task runner."""
    plugin = _RunnerChoice(SimulatedTaskRunner(faults=faults, cluster=cluster))
    plugins().register(plugin)
    try:
        yield
    finally:
        plugins().unregister(plugin)


class _RunnerChoice:
    def __init__(self, runner: SimulatedTaskRunner) -> None:
        self._runner = runner

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
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
