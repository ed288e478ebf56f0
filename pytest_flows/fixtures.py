"""The fixtures. They import the runtime when a test asks for them, not before."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_flows.multiplying import name_for
from pytest_flows.options import DECLARED, chosen_names
from pytest_flows.sessions import backends_of, measured_under

if TYPE_CHECKING:
    from distributed import LocalCluster

    from pytest_flows.clock import FlowClock
    from pytest_flows.flow_runs import FlowRuns
    from pytest_flows.patches import FlowPatch
    from pytest_flows.simulating import Simulate
    from pytest_flows.stubs import FlowStub
    from runtime.task_runners import (
        BaseTaskRunner,
        ConcurrentTaskRunner,
        DaskTaskRunner,
        RayTaskRunner,
        SequentialTaskRunner,
    )
    from simulators import SimulatedTaskRunner


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
def dask_task_runner(dask_cluster: "LocalCluster", pytestconfig: pytest.Config) -> "DaskTaskRunner":
    """A DaskTaskRunner on ``dask_cluster``, for ``flow.with_options(task_runner=...)``."""
    del dask_cluster
    return cast("DaskTaskRunner", backends_of(pytestconfig).shared.task_runner("dask"))


@pytest.fixture
def ray_task_runner(ray_instance: "RayTaskRunner") -> "RayTaskRunner":
    """A RayTaskRunner on ``ray_instance``, for ``flow.with_options(task_runner=...)``."""
    from runtime.task_runners import RayTaskRunner

    del ray_instance
    return RayTaskRunner()


@pytest.fixture
def simulated_task_runner(pytestconfig: pytest.Config) -> "SimulatedTaskRunner":
    """A SimulatedTaskRunner: one schedule in virtual time, for ``flow.with_options(task_runner=...)``."""
    return cast("SimulatedTaskRunner", backends_of(pytestconfig).runner("simulated"))


@pytest.fixture
def dask_cluster(pytestconfig: pytest.Config) -> "Generator[LocalCluster]":
    """The Dask cluster of the session, two workers in threads; a new one after a test that changed it."""
    shared = backends_of(pytestconfig).shared
    yield shared.dask_cluster()
    shared.renew_dask_cluster()


@pytest.fixture
def dask_cluster_factory(pytestconfig: pytest.Config) -> "Generator[Callable[..., LocalCluster]]":
    """Makes Dask clusters for this test: ``dask_cluster_factory(n_workers=1, processes=True)``."""
    from pytest_flows.clusters import dask_cluster

    backends_of(pytestconfig).shared.send_modules()
    with ExitStack() as started:

        def start(**settings: Any) -> "LocalCluster":
            return started.enter_context(dask_cluster(**settings))

        yield start


@pytest.fixture(scope="session")
def _ray_of_the_session(pytestconfig: pytest.Config) -> None:
    """Ray is started before what is for one test alone, and does not count as left by it."""
    backends_of(pytestconfig).shared.ray()


@pytest.fixture
def ray_instance(_ray_of_the_session: None, pytestconfig: pytest.Config) -> "Generator[RayTaskRunner]":
    """The Ray of the session, of two CPUs: the started task runner that keeps it, and that others share.

    A new one after a test that ended it.
    """
    shared = backends_of(pytestconfig).shared
    yield shared.ray()
    shared.renew_ray()


@pytest.fixture
def ray_instance_factory(pytestconfig: pytest.Config) -> "Generator[Callable[..., RayTaskRunner]]":
    """Makes a Ray for this test: ``ray_instance_factory(num_cpus=1, resources={"disk": 1})``.

    Takes what ``ray.init`` takes. A process has one Ray at a time: that of the session ends, and another one
    is started when it is next needed.
    """
    shared = backends_of(pytestconfig).shared
    with ExitStack() as started:

        def start(**settings: Any) -> "RayTaskRunner":
            return started.enter_context(shared.own_ray(**settings))

        yield start


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


@pytest.fixture
def flow_clock(request: pytest.FixtureRequest, task_runner: "BaseTaskRunner") -> "Generator[FlowClock]":
    """Time for flows and for the code they call: it stands, and ``flow_clock.advance(hours=1)`` moves it.

    Where a run awaits its retry and no task runs it moves by itself: nobody waits for a retry delay.
    """
    from pytest_flows.clock import FlowClock

    del task_runner
    # Clusters first: compiled modules must not be imported while the types of dates are replaced.
    for name in {"dask_cluster", "ray_instance"} & set(request.fixturenames):
        request.getfixturevalue(name)
    clock = FlowClock()
    with clock.in_charge():
        yield clock


@pytest.fixture
def flow_patch() -> "Generator[FlowPatch]":
    """A monkeypatch that reaches tasks wherever they run: on Dask's and Ray's workers too.

    ``flow_patch.setattr(shop, "RATE", 2)``, ``setitem``, ``setenv``, ``chdir`` and the like; undone after the
    test, here and there.
    """
    from pytest_flows.patches import FlowPatch
    from runtime.hooks import plugins

    patch = FlowPatch()
    plugins().register(patch)
    try:
        yield patch
    finally:
        plugins().unregister(patch)
        patch.undo()


@pytest.fixture
def flow_stub() -> "Generator[FlowStub]":
    """``flow_stub(task, returns=1)`` has a task do something else in this test, on every task runner.

    Or ``raises=OSError("down")``, or ``side_effect=function``, or ``side_effect=[OSError, 1]``: one
    entry for each attempt of a run.
    """
    from pytest_flows.stubs import FlowStub

    with ExitStack() as stubbed:
        yield FlowStub(stubbed)


@pytest.fixture(autouse=True)
def _under_task_runner(request: pytest.FixtureRequest, task_runner_name: str) -> Generator[None]:
    """Run the flows of every test under the task runner that was chosen for it."""
    with ExitStack() as around:
        around.enter_context(measured_under(request.node, task_runner_name))
        if task_runner_name != next(iter(chosen_names(request.config)), DECLARED):
            around.enter_context(backends_of(request.config).in_use(task_runner_name))
        yield
