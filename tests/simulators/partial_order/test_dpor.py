"""Exactly one execution for each Mazurkiewicz trace, judged by an oracle that tries everything."""

import pytest

from simulators.exceptions import SimulatorError
from simulators.partial_order import Access, Event
from simulators.strategies.dpor import DPOR
from tests.simulators.partial_order.machine import Ended, Pending, kinds, search
from tests.simulators.partial_order.programs import (
    CASES,
    chance,
    filesystem,
    indexer,
    lastzero,
    lost_update,
    philosophers,
    readers,
)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_there_is_one_execution_for_each_trace(case):
    dpor = DPOR()

    found = search(case.program, dpor, case.values)

    assert found.kinds == kinds(case.program, case.values)
    assert found.executions == len(found.kinds)
    assert dpor.redundant == 0


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_there_is_one_execution_for_each_trace_of_any_program(first):
    for seed in range(first, first + 20):
        case = chance(seed)

        found = search(case.program, DPOR(), case.values)

        assert found.kinds == kinds(case.program, case.values), seed
        assert found.executions == len(found.kinds), seed


@pytest.mark.soak
def test_there_is_one_execution_for_each_trace_of_ten_thousand_programs():
    for seed in range(10_000):
        case = chance(seed)

        found = search(case.program, DPOR(), case.values)

        assert found.kinds == kinds(case.program, case.values), seed
        assert found.executions == len(found.kinds), seed


FAMILIES = {
    "lost_update(2, 1)": (lost_update(2, 1), 4),
    "lost_update(2, 2)": (lost_update(2, 2), 34),
    "lost_update(3, 1)": (lost_update(3, 1), 36),
    **{f"readers({n})": (readers(n), 2**n) for n in (1, 4, 8)},
    **{f"lastzero({n})": (lastzero(n), traces) for n, traces in enumerate((2, 5, 12, 28, 64, 144), 1)},
    **{f"philosophers({n})": (philosophers(n), 2**n - 1) for n in (2, 3, 4, 5)},
    "indexer(11)": (indexer(11, 128, 4), 1),
    "indexer(12)": (indexer(12, 128, 4), 8),
    "filesystem(13)": (filesystem(13, 32, 26), 1),
    "filesystem(14)": (filesystem(14, 32, 26), 2),
    "filesystem(16)": (filesystem(16, 32, 26), 8),
}


@pytest.mark.parametrize(("program", "traces"), FAMILIES.values(), ids=FAMILIES.keys())
def test_the_classic_families_have_as_many_traces_as_the_literature_says(program, traces):
    found = search(program, DPOR())

    assert found.executions == len(found.kinds) == traces


@pytest.fixture
def dpor():
    """Has seen one execution, whose last two events can be turned round, and begun another."""
    dpor = DPOR()
    dpor.begin()
    for event in (Event("first"), Event("a", [Access("x")]), Event("b", [Access("x")])):
        dpor.hear(event, 0)
    dpor.end(Ended([]))
    assert dpor.begin()
    return dpor


def test_a_run_that_leaves_its_path_is_refused(dpor):
    with pytest.raises(SimulatorError, match="not deterministic"):
        dpor.choose([Pending("c", "1"), Pending("d", "1")])


def test_nothing_is_exhausted_where_steps_see_other_things_when_they_are_made_again(dpor):
    dpor.hear(Event("first"), 1)

    assert not dpor.exhausts
    assert "saw other things" in dpor.cut


def test_nothing_is_exhausted_where_a_branch_cannot_be_followed(dpor):
    dpor.hear(Event("first"), 0)
    chosen = dpor.choose([Pending("c", "1"), Pending("d", "1")])
    dpor.hear(Event(chosen.run), 0)

    assert not dpor.exhausts
