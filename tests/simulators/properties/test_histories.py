"""Never, eventually and leads-to, on histories and over schedules."""

import pytest

from runtime import flow, task
from simulators import FailureFound
from simulators.faults import WorkerDeath
from simulators.properties import assert_holds, eventually, leads_to, never


@task
def charge():
    return 10


@task
def refund():
    return -10


@flow
def careless():
    charged = charge.submit(return_state=True)
    if charged.is_failed():
        refund.submit()
    return "shipped or refunded"


@flow
def careful():
    charged = charge.submit(return_state=True)
    if not charged.is_completed():
        refund.submit()
    return "shipped or refunded"


REFUNDED = leads_to("charge-* Crashed", "refund-* Completed")
DEATHS = [WorkerDeath(tasks="charge-*")]


def test_what_something_leads_to_may_be_missing_where_a_worker_dies():
    with pytest.raises(FailureFound) as found:
        assert_holds(careless, REFUNDED, faults=DEATHS, points="operations")

    failure = found.value.failure
    assert "charge-* Crashed leads to refund-* Completed: after charge-0 Crashed it did not happen" in str(
        failure.error
    )
    assert len(failure.shrunk.deviations) == 1


def test_a_flow_that_sees_to_it_passes():
    # A task on another worker is not struck: one fault has been had.
    exploration = assert_holds(careful, REFUNDED, faults=DEATHS, strategy="exhaustive", points="declared")

    assert exploration.complete


def test_what_never_happens_may_happen():
    with pytest.raises(FailureFound, match=r"never charge-\* Crashed: charge-0 Crashed happened"):
        assert_holds(careful, never("charge-* Crashed"), faults=DEATHS, points="operations")


def test_what_happens_in_the_end_may_not():
    with pytest.raises(FailureFound, match=r"eventually charge-0 Completed: it did not happen"):
        assert_holds(careful, eventually("charge-0 Completed"), faults=DEATHS, points="operations")


@pytest.mark.parametrize(
    "holds",
    [
        never("refund-* *"),
        eventually("charge-0 Completed"),
        leads_to("charge-0 Running", "charge-0 Completed"),
        leads_to(lambda change: change.state.is_failed(), "nobody *"),
    ],
    ids=lambda holds: holds.text,
)
def test_properties_hold_of_a_run_without_faults(holds):
    assert_holds(careful, holds, strategy="fifo")


def test_the_last_cause_needs_an_effect_of_its_own():
    with pytest.raises(FailureFound):
        assert_holds(careful, leads_to("charge-0 *", "charge-0 Running"), strategy="fifo")


def test_a_change_without_a_state_is_refused():
    with pytest.raises(ValueError, match="a run and a state"):
        never("charge-0")
