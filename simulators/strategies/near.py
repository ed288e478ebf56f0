"""Near: the schedule that was recorded, and what lies around it."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from simulators.exceptions import SimulatorError
from simulators.schedules import Schedule
from simulators.strategies.base import Operation, Strategy, Trace
from simulators.strategies.replay import Replay
from simulators.timelines import Timeline

#: schedules that keep to the recorded one before the search is free
NEAR = 300
#: how many runs are held up, in turn
_DELAYS = (1, 2, 4, 8)


class Near(Strategy):
    """The schedule itself first. Then it, but with a few runs held up; then another strategy.

    A run that is held up at a point goes on when nobody else can. So all that could come in between does,
    and few of these delays show most mistakes (*Emmi, Qadeer and Rakamaric, POPL 2011*).

    Where the schedule has a timeline, time that passes is the last that can go on, up to the recorded end of
    whoever is under way: so the recorded order stands, and a delay says at which point of its code a run
    spent its time. In the first schedule all runs spend it after their code, in the second before it; those
    that follow are like the one or like the other, by turns.
    """

    name = "near"

    def __init__(self, schedule: Schedule, then: Strategy | None = None, seed: int = 0) -> None:
        if then is not None and then.hears:
            raise SimulatorError(f"near= goes with strategies that sample; {then.name!r} tries everything.")
        self._random = random.Random(seed)  # noqa: S311 - the same sequence every time is the point
        self._schedule = schedule
        self._then = then
        self._schedules = 0
        timeline = schedule.timeline or Timeline(())
        self._recorded = timeline.runs
        self._ends: dict[str, list[float]] = {}
        for attempt in timeline.attempts:
            ended = math.inf if attempt.ended is None else attempt.ended
            self._ends.setdefault(attempt.run, []).append(ended)
        #: how many points each run came to, at most
        self._lengths: dict[str, int] = {}
        #: seconds that attempts could spend before their code runs
        self._spare: Mapping[tuple[str, int, int], float] = {}

    @property
    def current(self) -> str:
        """The name of the strategy that decides the present schedule."""
        then = self._elsewhere
        return self.name if then is None else getattr(then, "current", then.name)

    @property
    def _elsewhere(self) -> Strategy | None:
        """Who decides instead, once there was enough nearness."""
        return self._then if self._schedules > NEAR else None

    def begin(self) -> bool:
        """Draw who is held up, and where."""
        self._schedules += 1
        then = self._elsewhere
        if then is not None:
            self.timeline, self.fine = None, then.fine
            return then.begin()
        number = self._schedules - 1
        late = bool(self._spare) and number % 2 == 1
        self._delays = self._drawn(number) if number > late else {}
        self.timeline, self.fine = self._schedule.timeline, self._schedule.fine
        if self.timeline is not None and late:
            before = {key: spare for key, spare in self._spare.items() if key[0] not in self._delays}
            self.timeline = self.timeline.spent_before(before)
        self._replay = Replay(self._schedule)
        self._replay.begin()
        #: for each run how many points it has passed, and how often it began
        self._passed: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()
        return True

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What the schedule says, or else the first in line, that is not held up."""
        then = self._elsewhere
        if then is not None:
            return then.choose(pending)
        chosen = self._replay.choose(pending)
        if self._is_held_up(chosen):
            free = next((operation for operation in pending if not self._is_held_up(operation)), None)
            chosen = free or min(pending, key=self._end)
            if free is None:
                del self._delays[chosen.run]
        self._passed[chosen.run] += 1
        self._begun[chosen.run] += chosen.kind == "start"
        return chosen

    def end(self, trace: Trace) -> None:
        """Hear what came of the schedule."""
        then = self._elsewhere
        if then is not None:
            then.end(trace)
            return
        self._spare = self._spare or trace.spare
        for run, passed in self._passed.items():
            self._lengths[run] = max(passed, self._lengths.get(run, 0))

    def _drawn(self, number: int) -> dict[str, int]:
        """Runs that are held up, and after how many points."""
        known = self._recorded or sorted(self._lengths)
        wanted = min(_DELAYS[number // 2 % len(_DELAYS)], len(known))
        return {
            run: self._random.randint(1, max(1, self._lengths.get(run, 1)))
            for run in self._random.sample(known, wanted)
        }

    def _is_held_up(self, operation: Operation) -> bool:
        return self._delays.get(operation.run) == self._passed[operation.run]

    def _end(self, operation: Operation) -> float:
        """When the attempt that an operation is part of ended; so long others have time."""
        ends = self._ends.get(operation.run)
        return math.inf if ends is None else ends[min(max(1, self._begun[operation.run]), len(ends)) - 1]
