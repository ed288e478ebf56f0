"""Bugs that need a fault to show are found by every strategy, and shrink to that fault."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from simulators import SimulatedCluster, explore, replay
from simulators.faults import Risks
from tests.quality.planted import faults


@dataclass(frozen=True)
class Planted:
    """One bug: what it fails with, and what its simplest schedule may consist of."""

    test: Callable[[], None]
    error: type[BaseException]
    #: how many decisions there are in the simplest schedule
    decisions: int
    #: the faults that show it
    shown_by: frozenset[str]
    risks: Risks = "any"

    def __str__(self) -> str:
        return self.test.__name__


TWICE = frozenset(
    {"WorkerDeath.unreported", "TaskError.after", "LostResult", "Partition.before", "Partition.after"}
)
LOST = frozenset({"WorkerDeath.before", "TaskError.before"})
PLANTED = [
    Planted(faults.paid_twice, AssertionError, 1, TWICE),
    Planted(faults.lease_left_behind, RuntimeError, 2, frozenset({"WorkerDeath.during"})),
    Planted(faults.overwritten_by_the_past, AssertionError, 1, frozenset({"Partition.before"})),
    Planted(faults.half_a_transfer, AssertionError, 1, LOST | TWICE),
]
CONDITIONS = {"cluster": SimulatedCluster(workers=2), "points": "operations"}


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "portfolio", "dpor"])
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_every_planted_bug_is_found_and_shrinks_to_its_fault(planted: Planted, strategy: str):
    found = explore(planted.test, faults=planted.risks, strategy=strategy, schedules=100, **CONDITIONS)

    assert len(found.failures) == 1, found.certificate
    failure = found.failures[0]
    assert isinstance(failure.error, planted.error)
    struck = {
        point.partition("!")[2] for _, point in (c.chosen for c in failure.shrunk.deviations) if "!" in point
    }
    assert len(struck) == 1, failure
    assert struck <= planted.shown_by
    assert len(failure.shrunk.deviations) == planted.decisions


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_bug_that_needs_a_fault_comes_back_by_its_token(planted: Planted):
    failure = explore(planted.test, faults=planted.risks, **CONDITIONS).failures[0]

    digests = set()
    for _ in range(3):
        execution = replay(
            planted.test, str(failure.shrunk), faults=planted.risks, cluster=CONDITIONS["cluster"]
        )
        assert isinstance(execution.error, planted.error)
        digests.add(execution.digest)

    assert len(digests) == 1


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_without_faults_there_is_no_bug(planted: Planted):
    assert explore(planted.test, schedules=20, **CONDITIONS).failures == []
