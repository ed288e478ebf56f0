"""One outcome, whatever runs the tasks: as they are simulated, and on real task runners."""

import inspect
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import anyio

from runtime.hooks import hookimpl, plugins
from runtime.task_runners import BaseTaskRunner, ConcurrentTaskRunner, SequentialTaskRunner
from simulators.clusters import SimulatedCluster
from simulators.execution import Test, counted
from simulators.exploration import check
from simulators.properties.outcomes import OtherOutcome, returning, usual_outcome


def assert_runner_equivalent(
    test: Test, *, real: Iterable[BaseTaskRunner] = (), **options: Any
) -> dict[str, Counter[Any]]:
    """Raise where what ``test`` returns depends on what runs its tasks.

    It is simulated in sequence, in this process, and on clusters like Dask's and Ray's, under many
    schedules each; and it runs for real, once each, in sequence, concurrently, and on the task runners in
    ``real``. Returns what came of each. ``options`` are those of ``check``.

    Raises ``FailureFound`` for a simulation, ``OtherOutcome`` for a real run.
    """
    with _all_on(SequentialTaskRunner()):
        expected = usual_outcome(test, runner="declared", **options)
    judged = returning(test, expected)
    came = {"sequential": Counter(expected), "concurrent": check(judged, **options).outcomes}
    for like in ("dask", "ray"):
        there: dict[str, Any] = {"cluster": SimulatedCluster(like=like), **options}
        came[f"like {like}"] = check(judged, **there).outcomes
    for runner in (SequentialTaskRunner(), ConcurrentTaskRunner(), *real):
        with _all_on(runner):
            outcome = counted(_run(test))
        if outcome not in expected:
            raise OtherOutcome(f"On {runner!r} the outcome is {outcome!r}, and should be {expected[0]!r}.")
        came[runner.name] = Counter([outcome])
    return came


def _run(test: Test) -> Any:
    result = test()
    if not inspect.iscoroutine(result):
        return result

    async def awaited() -> Any:
        return await result

    return anyio.run(awaited)


@contextmanager
def _all_on(runner: BaseTaskRunner) -> Generator[None]:
    """All flows run on that task runner, also those that declare another one."""
    plugin = _Chosen(runner)
    plugins().register(plugin)
    try:
        yield
    finally:
        plugins().unregister(plugin)


class _Chosen:
    def __init__(self, runner: BaseTaskRunner) -> None:
        self._runner = runner

    @hookimpl(tryfirst=True)
    def flows_select_task_runner(self, flow: str, declared: Any) -> Any:
        del flow, declared
        return self._runner
