"""What an exploration finds: a schedule that fails, the simplest one like it, and how to tell of it."""

import traceback
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType

from runtime.history import FlowRunHistory
from simulators.conditions import Conditions
from simulators.exceptions import Livelock
from simulators.execution import Execution, Test
from simulators.places import is_passed_over, place_of
from simulators.races import stacks_kept
from simulators.reports import Story, page, perfetto, text
from simulators.schedules import Schedule
from simulators.shrinking import shrink
from simulators.strategies import Replay, Strategy


class Failure:
    """A schedule under which the test fails. Its text is the report.

    It runs the test again, under the same conditions, when its simplest schedule or its story is asked for.
    """

    def __init__(
        self,
        execution: Execution,
        schedules: int,
        test: Test,
        conditions: Conditions,
    ) -> None:
        assert execution.error is not None
        self.error: BaseException = execution.error
        #: the schedule as it was found
        self.schedule: Schedule = execution.schedule
        #: how many schedules were tried until it was found, this one included
        self.schedules = schedules
        #: who decided it
        self.strategy = execution.strategy
        self._overdue = isinstance(execution.error, Livelock) and bool(execution.outside_control)
        self._test = test
        self._conditions = conditions

    @cached_property
    def shrunk(self) -> Schedule:
        """The simplest schedule that fails the same way: with the same kind of error at the same place.

        A run that was ended since it took half a minute of real time is left as it is: each try would take as
        long, and it cannot be repeated exactly.
        """
        if self._overdue:
            return self.schedule
        kind = _kind(self.error)
        with self._conditions.executor(self._test) as executor:

            def still_fails(strategy: Strategy) -> Schedule | None:
                execution = executor.run(strategy)
                if execution.error is None or _kind(execution.error) != kind:
                    return None
                return execution.schedule

            return shrink(self.schedule, still_fails)

    @property
    def history(self) -> FlowRunHistory | None:
        """The history of the first flow run, under the simplest schedule."""
        return next(iter(self.story.histories), None)

    @cached_property
    def story(self) -> Story:
        """All that reports tell."""
        schedule = self.shrunk
        called: object = getattr(self._test, "func", self._test)  # a partial says what it calls
        name = getattr(called, "__name__", type(called).__name__)
        with self._conditions.executor(self._test) as executor:
            strategy = Replay(schedule)
            strategy.begin()
            stacks: dict[tuple[str, str], Sequence[str]] = {}
            execution = executor.run(strategy, stacks_kept(stacks, place_of))
            return Story(
                test=name,
                error=execution.error or self.error,
                schedule=schedule,
                steps=execution.steps,
                histories=execution.histories,
                races=[str(race.with_stacks(stacks)) for race in execution.races],
                tried=self.schedules,
                strategy=self.strategy,
                command=f"simulators.replay({name}, {str(schedule)!r}{self._conditions.in_words})",
                deviations_found=len(self.schedule.deviations),
                root=Path.cwd(),
                left_out=(
                    *(f"No points in {code}" for code in executor.unmarked),
                    *(f"Outside of control: {what}" for what in execution.outside_control),
                ),
            )

    def to_html(self) -> str:
        """The report as one page that needs nothing else."""
        return page(self.story)

    def to_perfetto(self) -> str:
        """The report as a trace, for https://ui.perfetto.dev or chrome://tracing."""
        return perfetto(self.story)

    def __str__(self) -> str:
        return text(self.story)

    def __repr__(self) -> str:
        return f"<Failure {type(self.error).__name__} after {self.schedules} schedules>"


class FailureFound(AssertionError):
    """A test fails under some schedule; ``failure`` says under which."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def _kind(error: BaseException) -> tuple[type[BaseException], str]:
    """What two failures have in common that are the same one: the class, and the line that raised."""
    return type(error), _raised_at(error.__traceback__)


def _raised_at(trace: TracebackType | None) -> str:
    lines = [
        f"{frame.f_code.co_filename}:{number}"
        for frame, number in traceback.walk_tb(trace)
        if not is_passed_over(frame.f_code.co_filename)
    ]
    return lines[-1] if lines else ""
