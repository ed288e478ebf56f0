"""Tests whose flows are simulated: the fixture ``simulate``, the marker, and schedules that come back.

Nothing of this is imported before a test asks for a simulation.
"""

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pytest_flows.reached import schedules_measured
from pytest_flows.replays import command, forget, keep, kept
from pytest_flows.simulation_options import SimulationOptions
from simulators import Exploration, FailureFound, Schedule, explore
from simulators.exceptions import ScheduleError
from simulators.strategies import Replay, Strategy


class ScheduleDrift(pytest.PytestWarning):
    """A schedule that was kept does not fit the code any more; it was followed as far as it goes."""


class SharedFixtureWarning(pytest.PytestWarning):
    """A fixture that each test gets anew is shared by all schedules of a simulated test."""


class Simulate:
    """Runs a function once for each schedule until it fails."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._options = SimulationOptions.of(item.config)

    def __call__(
        self,
        test: Callable[[], Any],
        *,
        schedules: int | None = None,
        strategy: str | Strategy | None = None,
        seed: int | None = None,
        points: str | None = None,
        replay: str | Iterable[str] = (),
        **options: Any,
    ) -> Exploration:
        """Run ``test``, which takes no arguments and makes anew whatever it changes, under many schedules.

        Takes what ``simulators.check`` takes; what the command line says leads, and what the configuration
        file says is the default. The schedules in ``replay`` come first, then one that failed in an
        earlier session. Raises ``FailureFound``.
        """
        given = self._options.replay
        if given is not None:
            return self._replay(test, given, options, given_by_hand=True)
        for token in [replay] if isinstance(replay, str) else replay:
            self._replay(test, token, options)
        earlier = kept(self._item)
        if earlier is not None:
            self._replay(test, earlier, options)
            forget(self._item)
        chosen = self._options.over(schedules=schedules, strategy=strategy, seed=seed, points=points)
        return self._judged(self._explore(test, **chosen, **options))

    def _replay(
        self, test: Callable[[], Any], token: str, options: dict[str, Any], *, given_by_hand: bool = False
    ) -> Exploration:
        try:
            schedule = Schedule.parse(token)
        except ScheduleError as error:
            raise pytest.UsageError(f"The schedule cannot be replayed: {error}") from error
        strategy = Replay(schedule)
        where: dict[str, Any] = {"seed": schedule.seed, "points": schedule.points, "runner": schedule.runner}
        where["processes"] = 1  # it is one schedule
        exploration = self._judged(self._explore(test, strategy=strategy, **{**options, **where}))
        divergence = strategy.left_over()
        if divergence is not None:
            drift = (
                f"The code has changed since the schedule {token} was recorded; as far as it still fits, the "
                f"test passes ({divergence})."
            )
            if given_by_hand:
                pytest.fail(drift, pytrace=False)
            warnings.warn(ScheduleDrift(drift), stacklevel=4)
        return exploration

    def _explore(self, test: Callable[[], Any], **options: Any) -> Exploration:
        with schedules_measured(self._item) as each:
            return explore(test, each=each, **options)

    def _judged(self, exploration: Exploration) -> Exploration:
        if not exploration.failures:
            return exploration
        failure = exploration.failures[0]
        token = str(failure.shrunk)
        line = command(self._item, token)
        keep(self._item, token)
        self._item.add_report_section("call", "schedule", f"{failure}\n\n{line}")
        self._item.ihook.pytest_flows_schedule_failed(item=self._item, failure=failure, command=line)
        raise FailureFound(failure) from failure.error


def run_simulated(item: pytest.Function, marker: pytest.Mark) -> None:
    """Run the body of a marked test once for each schedule. Raises what the test raises."""
    if marker.args:
        raise TypeError("The marker simulate takes names: @pytest.mark.simulate(schedules=200)")
    arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}  # pyright: ignore[reportPrivateUsage] - pytest says it nowhere else
    _warn_of_shared_fixtures(item, arguments)
    test = functools.wraps(item.obj)(functools.partial(item.obj, **arguments))
    try:
        Simulate(item)(test, **marker.kwargs)
    except FailureFound as found:
        raise found.failure.error from None


def _warn_of_shared_fixtures(item: pytest.Function, names: Iterable[str]) -> None:
    definitions = item._fixtureinfo.name2fixturedefs  # pyright: ignore[reportPrivateUsage] - pytest says it nowhere else
    shared = [
        name
        for name in names
        if name in definitions
        and definitions[name][-1].scope == "function"
        and definitions[name][-1].func.__module__ != "pytest_flows.fixtures"
        and name not in getattr(getattr(item, "callspec", None), "params", {})
    ]
    if shared:
        warnings.warn(
            SharedFixtureWarning(
                f"{item.nodeid} runs once for each schedule, but {', '.join(shared)} is set up once for all. "
                "What one schedule leaves there, the next one finds. Make it in the test, or give the "
                "fixture a wider scope to say that sharing it is right."
            ),
            stacklevel=2,
        )
