"""The task runners of one pytest session: nothing of the runtime is imported before they are needed."""

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_flows.leak_options import forgiven
from pytest_flows.options import chosen_names

if TYPE_CHECKING:
    from pytest_flows.backends import Backends
    from pytest_flows.coverage import Measured
    from pytest_flows.listening import Listener


def backends_of(config: pytest.Config) -> "Backends":
    """The task runners of the session, closed at its end. Raises ``UsageError`` for unknown names."""
    if _BACKENDS not in config.stash:
        from pytest_flows.backends import Backends
        from pytest_flows.shared import Shared

        config.stash[_BACKENDS] = backends = Backends(
            chosen_names(config),
            Shared(lambda: _modules(config), lambda: forgiven(config)),
            lambda name: config.hook.pytest_flows_task_runner(config=config, name=name),
        )
        config.add_cleanup(backends.close)
    return config.stash[_BACKENDS]


def leave_broken_cluster(config: pytest.Config) -> None:
    """Give up a Dask cluster of the session that an earlier test has left without one of its workers."""
    if _BACKENDS in config.stash:
        config.stash[_BACKENDS].shared.leave_broken_dask_cluster()


def listener_of(config: pytest.Config) -> "Listener | None":
    """What hears of workers in this session; None while nothing has imported the runtime."""
    if _LISTENER not in config.stash and "runtime.hooks" in sys.modules:
        from pytest_flows.listening import Listener
        from runtime.hooks import plugins

        config.stash[_LISTENER] = listener = Listener()
        plugins().register(listener)
        config.add_cleanup(lambda: plugins().unregister(listener))
    return config.stash.get(_LISTENER, None)


def measured_of(config: pytest.Config) -> "Measured | None":
    """The coverage that is measured of flows in this session; None where none is, or no flows are."""
    if not {"coverage", "runtime.hooks"} <= sys.modules.keys():
        return None
    from pytest_flows.coverage import measured

    return measured(config)


@contextmanager
def measured_under(item: pytest.Item, task_runner: str) -> Generator[None]:
    """Let coverage say under which task runner lines were reached, for the length of a block."""
    measured = measured_of(item.config)
    if measured is None:
        yield
        return
    from pytest_flows.coverage import test_context

    with measured.within(test_context(item, task_runner)):
        yield


def note_modules(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Remember the modules that tests are in."""
    # Some collectors call a file a Module that has no module in it, as Sybil does for pages of text.
    found = {getattr(item.getparent(pytest.Module), "obj", None) for item in items}
    config.stash[_TEST_MODULES] = {module for module in found if isinstance(module, ModuleType)}


def _modules(config: pytest.Config) -> Iterable[ModuleType]:
    """The modules of tests, and the conftest files."""
    plugins: Iterable[Any] = config.pluginmanager.get_plugins()
    conftests = {plugin for plugin in plugins if _is_conftest(plugin)}
    return conftests | config.stash.get(_TEST_MODULES, set[ModuleType]())


def _is_conftest(plugin: object) -> bool:
    return isinstance(plugin, ModuleType) and Path(plugin.__file__ or "").name == "conftest.py"


_BACKENDS = pytest.StashKey["Backends"]()
_LISTENER = pytest.StashKey["Listener"]()
_TEST_MODULES = pytest.StashKey[set[ModuleType]]()
