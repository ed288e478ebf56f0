"""What is heard while a test runs."""

from uuid import uuid4

from pytest_flows.listening import Listener
from runtime.history import StateChange
from runtime.runs import FlowRun
from runtime.states import Failed


def test_however_many_runs_take_too_long_their_stacks_are_not_all_kept() -> None:
    listener = Listener()
    late = StateChange(FlowRun(uuid4(), "owl", "flow"), 1, Failed(name="TimedOut"), at=0.0, elapsed=0.0)
    listener.flows_state_change(late)
    threads = len(listener.stacks)

    for _ in range(1_000):
        listener.flows_state_change(late)

    assert threads > 0
    assert len(listener.stacks) <= 100
