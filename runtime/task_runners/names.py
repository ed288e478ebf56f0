"""Task runners by name, as command lines and configuration files say them."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from runtime.exceptions import FlowsError
from runtime.hooks import plugins
from runtime.task_runners.base import BaseTaskRunner

#: class names: a module is imported when its runner is made
_BUILT_IN = {
    "sequential": "SequentialTaskRunner",
    "concurrent": "ConcurrentTaskRunner",
    "dask": "DaskTaskRunner",
    "ray": "RayTaskRunner",
}
#: the package without which there is no such runner
_ENGINES = {"dask": "distributed", "ray": "ray"}


class UnknownTaskRunner(FlowsError, ValueError):
    """No task runner has this name."""


class MissingEngine(FlowsError, ImportError):
    """What a task runner runs tasks on is not installed."""


def task_runner_names(*, installed: bool = False) -> list[str]:
    """The names of all task runners, ours first, then those of plugins; or of those that can be made."""
    return [name for name in _makers() if not installed or not _lacks_engine(name)]


def check_task_runner(name: str) -> None:
    """Raise :class:`UnknownTaskRunner`, or :class:`MissingEngine`, where no such runner can be made."""
    known = _makers()
    if name not in known:
        meant = get_close_matches(name, known, n=1)
        raise UnknownTaskRunner(
            f"There is no task runner {name!r}{f', did you mean {meant[0]!r}?' if meant else '.'} "
            f"There are: {', '.join(known)}"
        )
    if _lacks_engine(name):
        raise MissingEngine(
            f"The task runner {name!r} needs a package that is not installed: "
            f"pip install 'pytest-flows[{name}]'"
        )


def make_task_runner(name: str) -> BaseTaskRunner:
    """A new task runner with the settings that it has by itself. Raises what its check raises."""
    check_task_runner(name)
    return _makers()[name]()


def _lacks_engine(name: str) -> bool:
    return name in _ENGINES and find_spec(_ENGINES[name]) is None


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
