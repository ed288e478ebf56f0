"""Task runners by name, and how one of them takes the place of what flows declare."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest

from pytest_flows.options import DECLARED, SIMULATED
from pytest_flows.shared import Shared
from runtime.hooks import hookimpl, plugins
from runtime.task_runners import BaseTaskRunner, ConcurrentTaskRunner
from runtime.task_runners.names import (
    MissingEngine,
    UnknownTaskRunner,
    check_task_runner,
    make_task_runner,
    task_runner_names,
)

_ON_SHARED = frozenset({"dask", "ray"})


def known_names() -> list[str]:
    """The names of all task runners that can be made here."""
    return [*task_runner_names(installed=True), SIMULATED]


class Backends:
    """The task runners of a session. What they run on is started when it is first asked for, and once.

    The first of ``names`` is in use where nothing else is said. Raises ``pytest.UsageError`` for a name
    that no task runner has. ``custom`` may bring a task runner of the suite's own.
    """

    def __init__(
        self,
        names: Sequence[str],
        shared: Shared,
        custom: Callable[[str], BaseTaskRunner | None],
    ) -> None:
        for name in names:
            _check(name)
        self._custom = custom
        self._runners: dict[str, BaseTaskRunner] = {}
        self._customs: dict[str, BaseTaskRunner | None] = {}
        #: what task runners of the session run tasks on
        self.shared = shared
        self._selection = _Selection(self, names[0] if names else DECLARED)
        plugins().register(self._selection)

    def runner(self, name: str) -> BaseTaskRunner:
        """The task runner called ``name``, not started: flows make copies of it.

        ``declared`` is the runner of flows that declare none. Raises ``pytest.UsageError``.
        """
        if name == DECLARED:
            return ConcurrentTaskRunner()
        _check(name)
        if name not in self._customs:
            self._customs[name] = self._custom(name)
        custom = self._customs[name]
        if custom is not None:
            return custom
        if name in _ON_SHARED:
            return self.shared.task_runner(name)
        if name not in self._runners:
            self._runners[name] = _made(name)
        return self._runners[name]

    @contextmanager
    def in_use(self, name: str) -> Generator[None]:
        """All flows of this process run under the task runner called ``name``, for the length of a block."""
        _check(name)  # now: a wrong name should not wait for a flow
        before, self._selection.name = self._selection.name, name
        try:
            yield
        finally:
            self._selection.name = before

    def close(self) -> None:
        """Let flows have the task runners that they declare, and end what was started for the session."""
        plugins().unregister(self._selection)
        self.shared.close()


def _check(name: str) -> None:
    if name not in {DECLARED, SIMULATED}:
        try:
            check_task_runner(name)
        except (UnknownTaskRunner, MissingEngine) as error:
            raise pytest.UsageError(str(error)) from error


def _made(name: str) -> BaseTaskRunner:
    if name == SIMULATED:
        from simulators import SimulatedTaskRunner

        return SimulatedTaskRunner()
    return make_task_runner(name)


class _Selection:
    """What the runtime asks which task runner a flow is to have."""

    def __init__(self, backends: Backends, name: str) -> None:
        self._backends = backends
        self.name = name

    @hookimpl
    def flows_select_task_runner(self, declared: BaseTaskRunner) -> BaseTaskRunner | None:
        """The one in use, except where the flow declares that very kind: then it keeps its settings."""
        if self.name == DECLARED:
            return None
        chosen = self._backends.runner(self.name)
        return None if type(chosen) is type(declared) else chosen
