"""Keeping a simulated run to the times that were recorded.

An attempt does not begin before it began then, and does not end before it ended then. So the order of all
beginnings and ends is the recorded one. What its code does in between was not recorded. It does it as soon as
it can, or as late as it may where the timeline says so. A strategy may have it otherwise, since while an
attempt is under way, *time that passes* is one more operation to choose, up to the next beginning or end that
is due. Whatever it chooses, the recorded order stands.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from runtime.envelope import Attempt, Report
from runtime.lifecycle import Lost, Raised, Started, TaskRunEvent
from runtime.lifecycle.crashes import crash_message
from runtime.runs import TaskCall
from runtime.threads import Interrupted
from simulators.alarms import on_grid
from simulators.exceptions import LostAgain
from simulators.scheduling import Abandoned, Scheduler
from simulators.timelines import RecordedAttempt, Timeline


class Pace:
    """Holds the attempts of one simulated run back until their time has come."""

    def __init__(self, timeline: Timeline, scheduler: Scheduler) -> None:
        self._timeline = timeline
        self._scheduler = scheduler
        #: attempts that are to begin, or under way, and when what comes next for them came then
        self._due: dict[RecordedAttempt, float] = {}
        #: seconds that attempts took then beyond what their code takes now
        self.spare: dict[tuple[str, int, int], float] = {}

    def limit(self) -> float:
        """How far time may go on although somebody could: to the next beginning or end that is due."""
        return min(self._due.values(), default=-inf)

    def expect(self, attempt: Attempt) -> float:
        """Hold an attempt to its times: the moment at which it may begin."""
        path = self._scheduler.path_of(attempt.task_run)
        recorded = self._timeline.attempt(path, attempt.run_count, attempt.number)
        if recorded is None:
            return 0.0
        self._due[recorded] = on_grid(recorded.began)
        attempt.report = functools.partial(self._report, recorded, attempt.report)
        call = attempt.call
        wrapped = self._wrapped_async if call.definition.is_async else self._wrapped
        definition = replace(call.definition, function=wrapped(call.definition.function, recorded))
        attempt.call = TaskCall(definition, call.args, call.kwargs, call.has_references)
        return recorded.began

    def _report(self, recorded: RecordedAttempt, report: Report, event: TaskRunEvent) -> bool:
        if type(event) is Started:
            self._due[recorded] = inf if recorded.ended is None else on_grid(recorded.ended)
            return report(event)
        del self._due[recorded]
        lost = recorded.crash is not None and not _crashed_by_itself(event)
        return report(Lost(recorded.number, recorded.crash or "") if lost else event)

    def _wrapped(self, function: Callable[..., Any], recorded: RecordedAttempt) -> Callable[..., Any]:
        def wait(seconds: float, until: str) -> None:
            if seconds > 0:
                self._scheduler.block("recorded", until, seconds)

        @functools.wraps(function)
        def paced(*args: Any, **kwargs: Any) -> Any:
            wait(recorded.before, "what took time then")
            try:
                value = function(*args, **kwargs)
            except (Interrupted, Abandoned):
                raise
            except BaseException:  # the user's code may raise anything
                wait(self._left(recorded), "the moment at which it ended then")
                raise
            wait(self._left(recorded), "the moment at which it ended then")
            return value

        return paced

    def _wrapped_async(self, function: Callable[..., Any], recorded: RecordedAttempt) -> Callable[..., Any]:
        async def wait(seconds: float) -> None:
            if seconds > 0:
                await asyncio.sleep(seconds)

        @functools.wraps(function)
        async def paced(*args: Any, **kwargs: Any) -> Any:
            await wait(recorded.before)
            try:
                value = await function(*args, **kwargs)
            except (asyncio.CancelledError, Abandoned):
                raise
            except BaseException:  # the user's code may raise anything
                await wait(self._left(recorded))
                raise
            await wait(self._left(recorded))
            return value

        return paced

    def _left(self, recorded: RecordedAttempt) -> float:
        """Seconds until it ended then."""
        if recorded.ended is None:
            return 0.0
        left = max(0.0, recorded.ended - self._scheduler.now)
        self.spare[recorded.key] = left + recorded.before
        return left


def _crashed_by_itself(event: TaskRunEvent) -> bool:
    if not isinstance(event, Raised) or isinstance(event.exception, LostAgain):
        return False
    return crash_message(event.exception) is not None
