"""What all parts of the suite stand on: the runner's promises, gates, and flows run under observation."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from pytest_flows.suite.gates import Gate, Ledger
from runtime import Flow, State
from runtime.context import default_environment
from runtime.history import FlowRunHistory, HistoryStore, MemoryHistoryStore
from runtime.history.guarantees import violations
from runtime.task_runners import BaseTaskRunner, TaskConcurrencyType


class Observed(NamedTuple):
    """A flow run that has ended."""

    state: State
    history: FlowRunHistory

    @property
    def result(self) -> Any:
        """What the flow returned; raises what it raised."""
        return self.state.result()


Observe = Callable[..., Observed]


@contextmanager
def checked_store() -> Generator[MemoryHistoryStore]:
    """Keeps the histories of the flow runs in the block, and checks at its end what is true of every one."""
    store = MemoryHistoryStore(keep=None)
    with default_environment(store=store):
        yield store
    for flow_run in store.flow_runs():
        assert violations(store.history(flow_run.id)) == []


def observing(store: HistoryStore) -> Observe:
    """A function that runs a flow, sync or async, to its end: ``observe(flow, *args)``."""

    def observe(observed: Flow[..., Any], *args: Any, **kwargs: Any) -> Observed:
        before = {run.id for run in store.flow_runs()}
        returned: Any = observed(*args, return_state=True, **kwargs)
        state: State = asyncio.run(returned) if observed.is_async else returned
        (flow_run,) = [run for run in store.flow_runs() if run.id not in before]
        history = store.history(flow_run.id)
        assert history.states.final == state
        return Observed(state, history)

    return observe


class SuiteBase:
    """The one fixture to be written is ``task_runner``: the runner to be tested, not started."""

    #: Whether tasks get the very objects that were passed, and callers the very results. Runners that
    #: hand things on by pickling them do not.
    shares_memory: ClassVar[bool] = False
    #: How many runs the tests with many of them make.
    many: ClassVar[int] = 100

    @pytest.fixture
    def task_runner(self) -> BaseTaskRunner:
        """The runner to be tested."""
        raise NotImplementedError(f"{type(self).__name__} must have a fixture `task_runner`")

    @pytest.fixture
    def in_line(self, task_runner: BaseTaskRunner) -> bool:
        """Whether a submitted task has ended when ``submit`` returns."""
        return task_runner.concurrency_type is TaskConcurrencyType.SEQUENTIAL

    @pytest.fixture(autouse=True)
    def store(self) -> Generator[MemoryHistoryStore]:
        """Keeps the histories of a test's flow runs; what is true of every history is checked at the end."""
        with checked_store() as store:
            yield store

    @pytest.fixture
    def observe(self, store: MemoryHistoryStore) -> Observe:
        """Runs a flow, sync or async, to its end: ``observe(flow, *args).state`` and ``.history``."""
        return observing(store)

    @pytest.fixture
    def gate(self, tmp_path: Path) -> Gate:
        """A gate that is shut."""
        return Gate(tmp_path / "gate")

    @pytest.fixture
    def other_gate(self, tmp_path: Path) -> Gate:
        """Another gate that is shut."""
        return Gate(tmp_path / "other-gate")

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Ledger:
        """A ledger without lines."""
        return Ledger(tmp_path / "ledger")
