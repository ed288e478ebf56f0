"""The fixtures. They import the runtime when a test asks for them, not before."""

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

import pytest

from pytest_flows.multiplying import name_for
from pytest_flows.options import DECLARED, chosen_names
from pytest_flows.sessions import backends_of

if TYPE_CHECKING:
    from pytest_flows.flow_runs import FlowRuns
    from pytest_flows.simulating import Simulate
    from runtime.task_runners import BaseTaskRunner, ConcurrentTaskRunner, SequentialTaskRunner


@pytest.fixture
def task_runner_name(request: pytest.FixtureRequest) -> str:
    """Name of the task runner that all flows run under, or ``declared``: each has its own.

    Follows ``--task-runner``, and the marker ``task_runners``. Override it in a class, a module or a
    conftest.py to choose for it.
    """
    return name_for(request)


@pytest.fixture
def task_runner(task_runner_name: str, pytestconfig: pytest.Config) -> "BaseTaskRunner":
    """The task runner that all flows run under; a concurrent one where each flow has its own."""
    return backends_of(pytestconfig).runner(task_runner_name)


@pytest.fixture
def sequential_task_runner(pytestconfig: pytest.Config) -> "SequentialTaskRunner":
    """A SequentialTaskRunner, for ``flow.with_options(task_runner=...)``."""
    return cast("SequentialTaskRunner", backends_of(pytestconfig).runner("sequential"))


@pytest.fixture
def concurrent_task_runner(pytestconfig: pytest.Config) -> "ConcurrentTaskRunner":
    """A ConcurrentTaskRunner, for ``flow.with_options(task_runner=...)``."""
    return cast("ConcurrentTaskRunner", backends_of(pytestconfig).runner("concurrent"))


@pytest.fixture
def flow_runs() -> "Generator[FlowRuns]":
    """The histories of the flow runs of this test, oldest first.

    ``flow_runs[-1]`` is the latest, ``flow_runs["my-flow"]`` that of the flow called so, and
    ``flow_runs["my-flow"]["add-0"].names`` the states that its first ``add`` went through.
    """
    from pytest_flows.flow_runs import FlowRuns
    from runtime.context import default_environment
    from runtime.history import MemoryHistoryStore

    store = MemoryHistoryStore(keep=None)
    with default_environment(store=store):
        yield FlowRuns()


@pytest.fixture
def simulate(request: pytest.FixtureRequest) -> "Simulate":
    """``simulate(test)`` runs a function once for each schedule of a search until it fails, flows simulated.

    Takes what ``simulators.check`` takes, returns the Exploration and raises FailureFound. A schedule that
    fails is shrunk, printed as a line to paste, and tried first in the next session.
    """
    from pytest_flows.simulating import Simulate

    return Simulate(request.node)


@pytest.fixture(autouse=True)
def _under_task_runner(task_runner_name: str, pytestconfig: pytest.Config) -> Generator[None]:
    """Run the flows of every test under the task runner that was chosen for it."""
    if task_runner_name == next(iter(chosen_names(pytestconfig)), DECLARED):
        yield
        return
    with backends_of(pytestconfig).in_use(task_runner_name):
        yield
