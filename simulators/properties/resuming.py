"""Crashes of the driver: after each state change, and then the flow run is resumed."""

from collections.abc import Generator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from runtime import Flow
from runtime.history import FlowRunHistory, StateChange, history_of
from runtime.results import MemoryResultStorage, result_storage
from runtime.runs import FlowRun
from runtime.states import Crashed
from simulators.conditions import Conditions
from simulators.exceptions import SimulatorError
from simulators.execution import Execution, Executor, counted
from simulators.properties.outcomes import OtherOutcome
from simulators.schedules import Points
from simulators.simulation import DriverCrash, simulation_here
from simulators.strategies import Fifo

_MESSAGE = "Execution was lost: its process is gone."


def assert_resumable(
    flow: "Flow[..., Any]", *args: Any, points: Points = "operations", seed: int = 0, **kwargs: Any
) -> int:
    """Raise ``OtherOutcome`` where a crash of the driver changes what the flow returns.

    The flow is called with ``args`` and ``kwargs``, its process ends after the first state change, the run is
    resumed in another one; and so on for each change. Results that tasks persist are there for the resumed
    run, and nothing else. Returns how many crashes there were.
    """
    parameters = signature(flow.fn).bind(*args, **kwargs).arguments
    storage = MemoryResultStorage()
    with result_storage(storage), _executor(Conditions(points=points, seed=seed)) as runs:
        usual = runs.of(lambda: flow(*args, **kwargs))
        if usual.error is not None:
            raise usual.error
        assert usual.history is not None
        for changes in range(1, len(usual.history)):
            storage.forget(_everything)
            crashed = runs.of(lambda changes=changes: _crashing(flow, changes, args, kwargs))
            if not isinstance(crashed.error, DriverCrash):
                raise SimulatorError(f"The flow run did not come to its change {changes}")
            left = _left(crashed)
            resumed = runs.of(lambda left=left: _resuming(flow, left, parameters))
            _compare(resumed, counted(usual.result), left, changes)
    return len(usual.history) - 1


def _everything(key: str, expires: float | None) -> bool:
    del key, expires
    return True


class _Runs:
    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.test: Any = None

    def of(self, test: Any) -> Execution:
        """One run in the usual order."""
        self.test = test
        strategy = Fifo()
        strategy.begin()
        return self._executor.run(strategy)


@contextmanager
def _executor(conditions: Conditions) -> Generator[_Runs]:
    holder: list[_Runs] = []
    with conditions.executor(lambda: holder[0].test()) as executor:
        holder.append(_Runs(executor))
        yield holder[0]


def _crashing(flow: "Flow[..., Any]", changes: int, args: Any, kwargs: Any) -> Any:
    simulation = simulation_here()
    assert simulation is not None
    simulation.crash_after(changes)
    return flow(*args, **kwargs)


def _resuming(flow: "Flow[..., Any]", left: FlowRunHistory, parameters: dict[str, Any]) -> Any:
    simulation = simulation_here()
    assert simulation is not None
    simulation.histories.changes += left
    return flow.resume(left, parameters)


def _left(crashed: Execution) -> FlowRunHistory:
    """What the next process finds: whatever had not settled is marked as crashed."""
    history = crashed.history
    assert history is not None
    changes = list(history)
    latest = {change.run.id: change for change in changes}
    open_runs = [change for change in latest.values() if not change.state.is_settled()]
    # A flow run is the last of all that is in it.
    open_runs.sort(key=lambda change: -_depth(change, history))
    for change in open_runs:
        index, at, elapsed = len(changes), changes[-1].at, changes[-1].elapsed
        state = Crashed(_MESSAGE, at=at)
        changes.append(
            StateChange(
                change.run, index, state, at, elapsed, change.attempt, change.run_count, change.worker
            )
        )
    return history_of(history.flow_run, changes, [history.flow_run, *history.subflow_runs])


def _depth(change: StateChange, history: FlowRunHistory) -> int:
    """How deep a flow run lies in others; task runs are deeper than all of them."""
    if not isinstance(change.run, FlowRun):
        return len(history.subflow_runs) + 1
    parents = {run.id: run.parent_id for run in history.subflow_runs}
    depth, parent = 0, change.run.parent_id
    while parent is not None:
        depth, parent = depth + 1, parents.get(parent)
    return depth


def _compare(resumed: Execution, usual: Any, left: FlowRunHistory, changes: int) -> None:
    last = list(left)[changes - 1]
    where = f"After a crash at change {changes} ({last.run.short_name} {last.state.name})"
    if resumed.error is not None:
        raise OtherOutcome(f"{where} the flow run cannot be resumed: {resumed.error}") from resumed.error
    state = resumed.result
    outcome = counted(state.data) if state.is_completed() else str(state)
    if outcome != usual:
        raise OtherOutcome(f"{where} the outcome is {outcome!r}, and should be {usual!r}.")
