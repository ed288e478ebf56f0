"""The one Dask cluster and the one Ray of a session. Neither is imported before it is needed."""

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from runtime.task_runners import BaseTaskRunner

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

    from runtime.task_runners import RayTaskRunner

#: Ray prints what it hears from workers by itself, also when the suite has ended and shown its results. What
#: tasks print and log comes all the same.
_RAY_SETTINGS = {"num_cpus": 2, "log_to_driver": False}


class Shared:
    """Starts what is asked for, once, and ends it with the session.

    ``modules`` tells which modules are the suite's own: their code travels as it is, since workers could
    not import it, or would import something else. What is started in a ``lasting()`` block is for more than
    one test.
    """

    def __init__(
        self,
        modules: Callable[[], Iterable[ModuleType]],
        lasting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._modules = modules
        self._lasting = lasting
        self._session = ExitStack()
        self._dask = ExitStack()
        self._on_ray = ExitStack()
        self._client: Client | None = None
        self._ray: RayTaskRunner | None = None
        self._sending = False

    def dask_cluster(self) -> "LocalCluster":
        """The Dask cluster of the session."""
        return cast("Any", self.dask_client()).cluster  # pyright infers what Dask does not say

    def dask_client(self) -> "Client":
        """The client of that cluster, for all flow runs: to make one costs as much as a short run."""
        self.send_modules()
        if self._client is None:
            with self._lasting():
                from distributed import Client

                from pytest_flows.clusters import dask_cluster

                cluster = self._dask.enter_context(dask_cluster())
                self._client = self._dask.enter_context(Client(cluster, set_as_default=False))
        return self._client

    def renew_dask_cluster(self) -> None:
        """Give up a cluster on which a test has left something, or stopped a worker."""
        from pytest_flows.clusters import is_untouched

        if self._client is not None and not is_untouched(self._client):
            self._end_dask()

    def leave_broken_dask_cluster(self) -> None:
        """Give up a cluster that has lost a worker, before a test that would miss it.

        Results that are kept there may be those of a fixture that lasts.
        """
        if self._client is None:
            return
        from pytest_flows.clusters import is_whole

        if not is_whole(self._client):
            self._end_dask()

    def ray(self) -> "RayTaskRunner":
        """The task runner that keeps the Ray of the session; others find it and use it."""
        self.send_modules()
        if self._ray is None:
            with self._lasting():
                from runtime.task_runners import RayTaskRunner

                runner = RayTaskRunner(init_kwargs=_RAY_SETTINGS)
                self._on_ray.enter_context(runner.start())
                self._ray = runner
        return self._ray

    def renew_ray(self) -> None:
        """Give up a Ray that a test has ended."""
        if self._ray is not None and not _ray_is_there():
            self._end_ray()

    @contextmanager
    def own_ray(self, **settings: Any) -> "Generator[RayTaskRunner]":
        """A Ray with other settings, for a block. A process has one: that of the session ends."""
        from runtime.task_runners import RayTaskRunner

        self.send_modules()
        self._end_ray()
        runner = RayTaskRunner(init_kwargs={**_RAY_SETTINGS, **settings})
        with runner.start():
            yield runner

    def task_runner(self, name: str) -> BaseTaskRunner:
        """A task runner on what is shared: ``dask`` or ``ray``."""
        from runtime import task_runners

        if name == "dask":
            return task_runners.DaskTaskRunner(client=self.dask_client())
        self.ray()
        return task_runners.RayTaskRunner()

    def send_modules(self) -> None:
        """Let the code of the suite travel as it is, from now on."""
        if not self._sending:
            self._session.enter_context(_sent_by_value(self._modules()))
            self._sending = True

    def close(self) -> None:
        """End what was started."""
        self._dask.close()
        self._end_ray()
        self._session.close()

    def _end_dask(self) -> None:
        self._client = None
        with self._lasting():
            self._dask.close()

    def _end_ray(self) -> None:
        self._ray = None
        with self._lasting():
            self._on_ray.close()


def _ray_is_there() -> bool:
    ray: Any = import_module("ray")  # its annotations are incomplete
    return ray.is_initialized()


@contextmanager
def _sent_by_value(modules: Iterable[ModuleType]) -> Generator[None]:
    pickling: Any = import_module("cloudpickle")  # comes with Dask and Ray
    # What cannot be imported travels by value anyway, and cloudpickle refuses to hear of it.
    registered = [module for module in modules if sys.modules.get(module.__name__) is module]
    for module in registered:
        pickling.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in registered:
            pickling.unregister_pickle_by_value(module)
