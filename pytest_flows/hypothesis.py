"""Schedules as a strategy of Hypothesis: it chooses who goes on, and shrinks what it chose.

Needs Hypothesis, which the plugin does not. Nothing of the plugin imports this.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from simulators import Points, SimulatedTaskRunner
from simulators.strategies.base import Operation, Strategy

#: decisions of a schedule that Hypothesis makes; after these, what is first in line goes on
DECISIONS = 100
_CHOICES = st.lists(st.integers(0, 7), max_size=DECISIONS)


def simulated_task_runners(points: Points = "operations") -> st.SearchStrategy[SimulatedTaskRunner]:
    """Simulated task runners, each with its own schedule, for ``flow.with_options(task_runner=...)``.

    A schedule that fails becomes simpler along with the other arguments of the test: towards the order in
    which tasks were submitted.
    """
    return _CHOICES.map(lambda choices: SimulatedTaskRunner(strategy=_Chosen(choices), points=points))


class _Chosen(Strategy):
    """Follows choices made beforehand: Hypothesis must not be asked, nor stop anything, inside of a run."""

    name = "hypothesis"

    def __init__(self, choices: list[int]) -> None:
        self._choices = iter(choices)

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """The next choice, among as many as there are."""
        return pending[next(self._choices, 0) % len(pending)]
