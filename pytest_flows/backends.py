"""Task runners by name, and how one of them takes the place of what flows declare."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches

import pytest

from pytest_flows.options import DECLARED
from runtime.hooks import hookimpl, plugins
from runtime.task_runners import BaseTaskRunner, ConcurrentTaskRunner, SequentialTaskRunner

#: what makes each task runner; plugins bring more of them
_MAKERS: dict[str, Callable[[], BaseTaskRunner]] = {
    "sequential": SequentialTaskRunner,
    "concurrent": ConcurrentTaskRunner,
}


class Backends:
    """The task runners of a session. Each is made when it is first asked for, and once.

    The first of ``names`` is in use where nothing else is said. Raises ``pytest.UsageError`` for a name
    that no task runner has.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._makers = dict(_MAKERS)
        for more in plugins().hook.flows_task_runners():
            self._makers.update(more)
        for name in names:
            self._check(name)
        self._runners: dict[str, BaseTaskRunner] = {}
        self._selection = _Selection(self, next(iter(names), DECLARED))
        plugins().register(self._selection)

    def runner(self, name: str) -> BaseTaskRunner:
        """The task runner called ``name``, not started: flows make copies of it.

        ``declared`` is the runner of flows that declare none. Raises ``pytest.UsageError``.
        """
        if name == DECLARED:
            return ConcurrentTaskRunner()
        self._check(name)
        if name not in self._runners:
            self._runners[name] = self._makers[name]()
        return self._runners[name]

    @contextmanager
    def in_use(self, name: str) -> Generator[None]:
        """All flows of this process run under the task runner called ``name``, for the length of a block."""
        if name != DECLARED:
            self._check(name)
        before, self._selection.name = self._selection.name, name
        try:
            yield
        finally:
            self._selection.name = before

    def close(self) -> None:
        """Let flows have the task runners that they declare."""
        plugins().unregister(self._selection)

    def _check(self, name: str) -> None:
        if name not in self._makers:
            meant = get_close_matches(name, self._makers, n=1)
            raise pytest.UsageError(
                f"There is no task runner {name!r}{f', did you mean {meant[0]!r}?' if meant else '.'} "
                f"There are: {', '.join(self._makers)}"
            )


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
