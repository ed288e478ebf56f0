"""Task runners by name, as command lines and configuration files say them."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from importlib import import_module

from runtime.exceptions import FlowsError
from runtime.hooks import plugins
from runtime.task_runners.base import BaseTaskRunner

#: class names: a module is imported when its runner is made
_BUILT_IN = {
    "sequential": "SequentialTaskRunner",
    "concurrent": "ConcurrentTaskRunner",
    "ray": "RayTaskRunner",
}


class UnknownTaskRunner(FlowsError, ValueError):
    """No task runner has this name."""


def task_runner_names() -> list[str]:
    """The names of all task runners, ours first, then those of plugins."""
    return list(_makers())


def make_task_runner(name: str) -> BaseTaskRunner:
    """A new task runner with the settings that it has by itself. Raises :class:`UnknownTaskRunner`."""
    makers = _makers()
    if name not in makers:
        meant = get_close_matches(name, makers, n=1)
        raise UnknownTaskRunner(
            f"There is no task runner {name!r}{f', did you mean {meant[0]!r}?' if meant else '.'} "
            f"There are: {', '.join(makers)}"
        )
    return makers[name]()


def _makers() -> dict[str, Callable[[], BaseTaskRunner]]:
    makers: dict[str, Callable[[], BaseTaskRunner]] = {
        name: partial(_make, class_name) for name, class_name in _BUILT_IN.items()
    }
    for more in plugins().hook.flows_task_runners():
        makers.update(more)
    return makers


def _make(class_name: str) -> BaseTaskRunner:
    runner: BaseTaskRunner = getattr(import_module("runtime.task_runners"), class_name)()
    return runner
