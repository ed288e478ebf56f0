"""Where suites and other plugins plug in: hooks of pytest, implemented in a ``conftest.py`` or a plugin."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_flows.leaks import Leak
    from runtime.task_runners import BaseTaskRunner
    from simulators import Failure


@pytest.hookspec(firstresult=True)
def pytest_flows_task_runner(config: pytest.Config, name: str) -> "BaseTaskRunner | None":
    """Make the task runner called ``name`` for this session, with settings of the suite's own.

    Called once for each name, when it is first needed. None leaves it to the plugin.
    """


@pytest.hookspec
def pytest_flows_schedule_failed(item: pytest.Item, failure: "Failure", command: str) -> None:
    """Hear of a simulated test that failed; ``command`` is the line that replays it."""


@pytest.hookspec
def pytest_flows_leaked(item: pytest.Item, leaks: "list[Leak]") -> None:
    """Hear of what a test left behind, before it is reported; what is taken off the list is forgiven."""
