"""Where other packages plug in: pluggy hook specifications, found by the entry-point group ``flows``.

A plugin is any object with functions named like the ones below and marked with ``hookimpl``. Entry
points are looked for when the first flow runs, and what the setting ``FLOWS_PLUGINS`` names;
``plugins().register(...)`` adds one by hand.
"""

from importlib import import_module
from typing import Any

import pluggy

from runtime.settings import SettingsError, current_settings

ENTRY_POINT_GROUP = "flows"

hookspec = pluggy.HookspecMarker("flows")
hookimpl = pluggy.HookimplMarker("flows")


class FlowsHooks:
    """All that can be plugged in."""

    @hookspec
    def flows_state_change(self, change: Any) -> None:
        """Hear of a ``StateChange`` after it was written.

        Called on whatever thread made the change. An exception is logged and changes nothing.
        """

    @hookspec
    def flows_enter_run(self, run: Any) -> None:
        """Set context variables for the code of a run: called in its context, before it is called.

        For each attempt that is made in this process, and each time that a flow's function is called.
        """

    @hookspec(firstresult=True)
    def flows_select_task_runner(self, flow: str, declared: Any) -> Any:
        """A task runner for a run of ``flow`` instead of the declared one; None leaves the choice."""

    @hookspec
    def flows_around_attempts(self, attempt: Any) -> "list[Any]":  # pyright: ignore[reportReturnType]
        """What is to be around an attempt in another process: callables that give context managers.

        Asked in the driver for each attempt that it sends. The callables travel with it, by value where they
        must, and what they give is entered on the worker. The same objects again travel no second time.
        """

    @hookspec
    def flows_worker_output(self, run: Any, worker: str, text: str) -> None:
        """Hear what a task run printed, logged, or warned of in another process.

        After it was printed, logged or warned of here, on a thread of the task runner.
        """

    @hookspec
    def flows_task_runners(self) -> "dict[str, Any]":  # pyright: ignore[reportReturnType]
        """Names of task runners, for ``--task-runner``, with a callable that makes each."""

    @hookspec
    def flows_history_stores(self) -> "dict[str, Any]":  # pyright: ignore[reportReturnType]
        """Names of history stores with a callable that makes each."""

    @hookspec
    def flows_commands(self) -> "list[Any]":  # pyright: ignore[reportReturnType]
        """Click commands to be added to ``flows``."""


def plugins() -> pluggy.PluginManager:
    """The plugin manager of this process, with the installed plugins loaded."""
    global _plugins
    if _plugins is None:
        manager = pluggy.PluginManager("flows")
        manager.add_hookspecs(FlowsHooks)
        _plugins = manager
        try:
            manager.load_setuptools_entrypoints(ENTRY_POINT_GROUP)
            for name in current_settings().plugins:
                manager.register(_named(name), name)
        except BaseException:
            _plugins = None
            raise
    return _plugins


def _named(name: str) -> object:
    place, _, attribute = name.partition(":")
    try:
        found: object = import_module(place)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
        return found() if isinstance(found, type) else found
    except Exception as error:  # the plugin's code may raise anything
        raise SettingsError(f"FLOWS_PLUGINS: {name!r} cannot be plugged in: {error!r}") from error


_plugins: pluggy.PluginManager | None = None
