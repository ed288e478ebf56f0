"""What the states of many runs amount to."""

import pytest

from runtime.lifecycle import Tally
from runtime.states import Cancelled, Completed, Crashed, Failed, Pending, Running

NOT_READY = Pending("Upstream failed.", name="NotReady")


@pytest.mark.parametrize(
    ("states", "conclusion"),
    [
        ([], Completed()),
        ([Completed()], Completed("All states completed.")),
        ([Completed(), Completed(name="Cached")], Completed("All states completed.")),
        ([Completed(), Failed()], Failed("1/2 states failed.")),
        ([Failed(), Crashed(), Completed()], Failed("2/3 states failed.")),
        ([Cancelled(), Completed()], Cancelled("1/2 states cancelled.")),
        ([Cancelled(), Failed(), NOT_READY], Cancelled("1/3 states cancelled.")),
        ([NOT_READY, Running(), Completed()], Failed("2/3 states are not final.")),
        ([NOT_READY, Failed(), Completed()], Failed("1/3 states failed.")),
    ],
)
def test_many_states_amount_to_one(states, conclusion):
    assert Tally.of(states).conclude() == conclusion


def test_the_conclusion_raises_what_went_wrong_first():
    first, second = KeyError("first"), ValueError("second")
    states = [Completed(data=1), Failed(data=first), Failed(data=second)]

    state = Tally.of(states).conclude()

    assert state.result(raise_on_failure=False) is first


def test_the_conclusion_may_carry_data_of_its_own():
    states = [Completed(data=1), Completed(data=2)]

    assert Tally.of(states).conclude(states).data is states
    assert Tally.of(states).conclude().data is None


def test_a_tally_keeps_only_the_states_that_tell_of_trouble():
    tally = Tally()
    failed = Failed()

    for state in [Completed(data="large"), failed, Completed(data="large")]:
        tally.add(state)

    assert tally.troubles == [failed]
    assert tally.total == 3
