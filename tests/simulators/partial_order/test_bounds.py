"""Bounded DPOR: executions of the whole search that keep the bound, and never more of them."""

from collections.abc import Sequence

import pytest

from simulators.strategies import DPOR, Operation
from tests.simulators.partial_order.machine import kinds, search
from tests.simulators.partial_order.programs import CASES, chance, lost_update


class Counting(DPOR):
    """Counts what each execution costs."""

    def begin(self) -> bool:
        self.preempted = self.delayed = 0
        return super().begin()

    def choose(self, pending: Sequence[Operation]) -> Operation:
        chosen = super().choose(pending)
        self.preempted += pending[0].goes_on and chosen is not pending[0]
        self.delayed += pending.index(chosen)
        return chosen

    def end(self, trace) -> None:
        super().end(trace)
        assert self.preempted <= self.bounds.get("preemptions", 10**6)
        assert self.delayed <= self.bounds.get("delays", 10**6)


BOUNDS = [{"preemptions": n} for n in range(3)] + [{"delays": n} for n in range(0, 6, 2)]


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_a_bounded_search_keeps_its_bound_and_runs_no_more_than_the_whole_one(bound):
    for name, case in CASES.items():
        whole = search(case.program, DPOR(), case.values)
        bounded = Counting(**bound)

        found = search(case.program, bounded, case.values)

        assert found.executions <= whole.executions, name
        assert found.kinds <= whole.kinds, name
        assert found.kinds == whole.kinds or not bounded.exhausts, name


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_a_bounded_search_of_any_program_runs_no_more_than_the_whole_one(bound):
    for seed in range(30):
        case = chance(seed)
        bounded = Counting(**bound)

        found = search(case.program, bounded, case.values)

        every = kinds(case.program, case.values)
        assert found.kinds <= every, seed
        assert found.executions <= len(every), seed
        assert found.kinds == every or not bounded.exhausts, seed


def test_more_room_shows_more_and_in_the_end_all():
    traces = [search(lost_update(2, 2), DPOR(preemptions=bound)).executions for bound in range(7)]

    assert traces == sorted(traces)
    assert traces[0] < traces[-1] == 34


@pytest.mark.parametrize("bound", ["preemptions", "delays"])
def test_a_bound_is_no_less_than_nothing(bound):
    with pytest.raises(ValueError, match=f"{bound} must be 0 or more"):
        DPOR(**{bound: -1})
