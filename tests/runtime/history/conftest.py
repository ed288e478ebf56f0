"""Histories told by hand, one change after the other."""

import itertools
from uuid import UUID

import pytest

from runtime.history import FlowRunHistory, StateChange
from runtime.runs import FlowRun, RunInput, TaskRun
from runtime.states import State


class Story:
    """What happened to a flow run, as a test tells it. Ids, numbers and times count up by themselves."""

    def __init__(self, first_id: int = 1) -> None:
        self._ids = (UUID(int=number, version=4) for number in itertools.count(first_id))
        self.flow_run = FlowRun(next(self._ids), "olivine-swan", "outer", created=1_700_000_000.0)
        self.subflow_runs: list[FlowRun] = []
        self.changes: list[StateChange] = []

    def subflow(self, flow_name: str = "child", n: int = 0, parent: FlowRun | None = None) -> FlowRun:
        parent_id = (parent or self.flow_run).id
        run = FlowRun(next(self._ids), f"jade-lynx-{n}", flow_name, n, parent_id=parent_id)
        self.subflow_runs.append(run)
        return run

    def task(
        self,
        task_name: str = "add",
        n: int = 0,
        *,
        of: FlowRun | None = None,
        parent: TaskRun | None = None,
        title: str | None = None,
        upstream: tuple[TaskRun, ...] = (),
    ) -> TaskRun:
        inputs = tuple(RunInput("data", "x", run.id) for run in upstream)
        owner = of or self.flow_run
        return TaskRun(next(self._ids), task_name, "a087a829", n, owner.id, parent, title, (), inputs)

    def tell(
        self,
        run: FlowRun | TaskRun,
        *states: State,
        attempt: int = 0,
        run_count: int = 1,
        worker: str | None = None,
        index: int | None = None,
        elapsed: float | None = None,
    ) -> "Story":
        for state in states:
            number = len(self.changes) if index is None else index
            moment = number / 8 if elapsed is None else elapsed
            at = 1_700_000_000.0 + moment
            self.changes.append(
                StateChange(run, number, state.dated(at), at, moment, attempt, run_count, worker)
            )
        return self

    @property
    def history(self) -> FlowRunHistory:
        return FlowRunHistory(self.flow_run, self.changes, self.subflow_runs)


@pytest.fixture
def story() -> Story:
    return Story()
