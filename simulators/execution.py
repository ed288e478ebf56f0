"""One simulated run of a test, and what came of it."""

import functools
import hashlib
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextvars import Context
from functools import cached_property
from typing import Any

from runtime.exceptions import Terminated
from runtime.history import FlowRunHistory, history_of
from runtime.history.guarantees import violations
from simulators.exceptions import BrokenGuarantee
from simulators.loops import SimulatedLoop
from simulators.marks import Marking
from simulators.partial_order import Event
from simulators.races import DataRace, data_race
from simulators.schedules import Choice, Decision, Points, Runner, Schedule
from simulators.scheduling import Abandoned
from simulators.simulation import Simulation
from simulators.strategies import Divergence, Replay, Strategy
from simulators.turns import Record, Turn

#: What is simulated: a callable without arguments, sync or async, that fails by raising.
Test = Callable[[], Any]


def counted(result: Any) -> Any:
    """What a test returned, as something that can be counted."""
    try:
        hash(result)
    except TypeError:
        return repr(result)
    return result


def followed(test: Test, judge: Callable[[Any], Any]) -> Test:
    """The test, and then ``judge(result)``, whose result counts."""

    @functools.wraps(test)
    def judged() -> Any:
        result = test()
        return _awaited(result) if inspect.iscoroutine(result) else judge(result)

    async def _awaited(result: Any) -> Any:
        return judge(await result)

    return judged


class Execution:
    """What one simulated run did, and how it ended. The details are made when asked for."""

    def __init__(self, simulation: Simulation, strategy: Strategy, runner: Runner) -> None:
        scheduler = simulation.scheduler
        #: what the test returned
        self.result: Any = None
        #: what the test raised, or what was found wrong with the run
        self.error: BaseException | None = None
        #: where a replay left its record
        self.divergence: Divergence | None = None
        #: the name of the strategy that decided
        self.strategy: str = getattr(strategy, "current", strategy.name)
        self._seed = simulation.seed
        self._points: Points = scheduler.points
        self._runner: Runner = runner
        self._fine = scheduler.fine
        self._timeline = strategy.timeline
        #: seconds that recorded attempts took beyond what their code takes now, by run, run count and number
        self.spare: Mapping[tuple[str, int, int], float] = (
            simulation.pace.spare if simulation.pace is not None else {}
        )
        #: what waited for something that others had when the run ended, and what could have gone on
        self.blocked: Sequence[Event] = ()
        self.cut_off: Sequence[Event] = ()
        self._made = scheduler.made
        self._steps = scheduler.steps
        self._overruns = scheduler.overruns
        self._races = scheduler.races
        #: equal for the same data race of another execution
        self.racing: AbstractSet[Hashable] = scheduler.racing
        #: how often somebody who was passed over got a turn that no strategy decided
        self.favours = 0
        self._flow_runs = simulation.histories.known_flow_runs
        self._changes = simulation.histories.changes

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return self.error is not None

    @property
    def outcome(self) -> Any:
        """What the test returned, or the exception in words; something that can be counted."""
        if self.error is not None:
            text = str(self.error)
            return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__
        return counted(self.result)

    @property
    def schedule(self) -> Schedule:
        """All that was decided."""
        choices = tuple(
            Choice(Decision(run, str(point)), Decision(usual, str(usual_point)))
            for run, point, usual, usual_point in self._made
        )
        return Schedule(
            choices,
            self._seed,
            self._points,
            self._runner,
            complete=True,
            fine=self._fine,
            timeline=self._timeline,
        )

    @property
    def steps(self) -> list[Record]:
        """All operations that were done, in order."""
        return [
            Record(lane.name, str(number), kind, resource, writes, moment, place)
            for lane, number, kind, resource, writes, moment, place in self._steps
        ]

    @property
    def length(self) -> int:
        """How many operations were done."""
        return len(self._steps)

    @property
    def outside_control(self) -> list[str]:
        """What took real time, and where: with it, the same decisions may give another run."""
        return list(self._overruns.values())

    @cached_property
    def races(self) -> list[DataRace]:
        """The data races in it, where accesses are points or the strategy hears of them."""
        return [data_race(found) for found in self._races]

    @property
    def histories(self) -> list[FlowRunHistory]:
        """The history of each outermost flow run, in the order in which they began."""
        return [
            history_of(run, self._changes, self._flow_runs)
            for run in self._flow_runs
            if run.parent_id is None
        ]

    @property
    def history(self) -> FlowRunHistory | None:
        """The history of the first flow run; None where no flow ran."""
        return next(iter(self.histories), None)

    @cached_property
    def outline(self) -> int:
        """Equal where the runs changed their states in the same order; of use in one process only."""
        return hash(
            tuple(
                [
                    (change.run.id.int, change.index, change.state.name, change.attempt, change.run_count)
                    for change in self._changes
                ]
            )
        )

    @property
    def digest(self) -> str:
        """16 hex digits: equal where the same was done in the same order at the same virtual times."""
        return hashlib.sha256("\n".join(self.account).encode()).hexdigest()[:16]

    @property
    def account(self) -> list[str]:
        """All that was done and recorded, line by line, in words that do not depend on the process."""
        lines = [
            f"{lane.name}@{number} {kind} {moment!r}" for lane, number, kind, _, _, moment, _ in self._steps
        ]
        lines += [
            f"{change.run.short_name} {change.state.name} {change.attempt} {change.elapsed!r}"
            for change in self._changes
        ]
        lines.append(type(self.error).__name__)
        return lines

    def __repr__(self) -> str:
        return f"<Execution {self.outcome!r} {self.digest}>"


class Executor:
    """Runs a test again and again in one simulation."""

    def __init__(self, simulation: Simulation, test: Test, context: Context, runner: Runner) -> None:
        self._simulation = simulation
        self._test = test
        self._context = context
        self._runner: Runner = runner
        #: the marks in the code of the test, where statements are points
        self.marking: Marking | None = None
        #: outlines of histories that were looked at and found in order
        self._in_order: set[int] = set()

    @property
    def unmarked(self) -> list[str]:
        """Code whose statements should be points and are not, and why."""
        return [str(code) for code in self.marking.unmarked] if self.marking is not None else []

    @property
    def modules(self) -> list[str]:
        """The files whose code has points of its own."""
        return self.marking.files if self.marking is not None else []

    @property
    def has_points(self) -> bool:
        """Whether all code that should have points has them."""
        return self.marking is None or not any(code.may_run for code in self.marking.unmarked)

    def run(self, strategy: Strategy, place_of: Callable[[Turn], str] | None = None) -> Execution:
        """One simulated run. The strategy has begun a schedule. Raises what it raises, and interrupts.

        ``place_of`` gives the source line of each step, where they are wanted: that takes time.
        """
        if self.marking is not None:
            self.marking.update()
        simulation = self._simulation
        simulation.begin(strategy)
        scheduler = simulation.scheduler
        scheduler.place_of = place_of
        execution = Execution(simulation, strategy, self._runner)
        context = self._context.copy()
        scheduler.run(scheduler.lane("main"), lambda: context.run(self._call, execution))
        execution.blocked, execution.cut_off = scheduler.blocked, scheduler.cut_off
        execution.favours = scheduler.favours
        if scheduler.refusal is not None:
            raise scheduler.refusal
        if isinstance(execution.error, KeyboardInterrupt | Terminated):  # meant for whoever explores
            raise execution.error
        if scheduler.error is not None:
            execution.error = scheduler.error
        if execution.error is None:
            execution.error = self._broken_guarantee(execution)
        if isinstance(strategy, Replay):
            execution.divergence = strategy.left_over()
        return execution

    def _call(self, execution: Execution) -> None:
        try:
            result = self._test()
            if inspect.iscoroutine(result):
                loop = SimulatedLoop(self._simulation.scheduler)
                try:
                    result = loop.run_until_complete(result)
                finally:
                    loop.cancel_all()
                    loop.close()
            execution.result = result
        except Abandoned:
            raise
        except BaseException as error:  # a test fails by raising anything
            execution.error = error

    def _broken_guarantee(self, execution: Execution) -> BrokenGuarantee | None:
        histories = self._simulation.histories
        outline = execution.outline
        if outline in self._in_order and not histories.problems:
            return None
        found = [
            *histories.problems,
            *(
                problem
                for history in execution.histories
                if not histories.is_cut(history.flow_run)
                for problem in violations(history)
            ),
        ]
        if found:
            return BrokenGuarantee(
                "\n".join(["The history is not in order:", *(f"  {line}" for line in found)])
            )
        if len(self._in_order) < _MOST_OUTLINES:
            self._in_order.add(outline)
        return None


_MOST_OUTLINES = 100_000
