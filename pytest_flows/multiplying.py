"""Tests that run under several task runners, or only under some."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.unittest import TestCaseFunction

from pytest_flows.mentions import mentions_flows
from pytest_flows.options import DECLARED, chosen_names

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter  # pytest 8.0 has it nowhere else

MARKER = "task_runners(*names): the test runs under these task runners only"
SIMULATE_MARKER = (
    "simulate(*, schedules, strategy, seed, points, faults, replay): the test runs once for each schedule of "
    "a search until it fails, its flows simulated"
)

_OUR_MODULE = "pytest_flows.fixtures"


def name_for(request: pytest.FixtureRequest) -> str:
    """The task runner for the test that asks. Skips it where its marker leaves none."""
    if hasattr(request, "param"):
        return request.param
    names = _names_at(request.node)
    if not names:
        allowed = ", ".join(_allowed(request.node))
        pytest.skip(f"runs only under: {allowed} (--task-runner={','.join(chosen_names(request.config))})")
    return names[0]


def multiply(metafunc: pytest.Metafunc) -> None:
    """Run the test once under each task runner, if there are several and it runs a flow."""
    chosen = chosen_names(metafunc.config)
    if len(chosen) < 2 or not _names_are_ours(metafunc) or _is_simulated(metafunc):
        return
    marked = metafunc.definition.get_closest_marker("task_runners") is not None
    names = _names_at(metafunc.definition)
    if names and (marked or _runs_flows(metafunc)):
        # The scope puts the tests of one task runner together: a cluster need not idle beside another one.
        metafunc.parametrize("task_runner_name", names, indirect=True, scope="session")


def note_unmultiplied(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Remember the tests that run flows but cannot be multiplied: methods of ``unittest.TestCase``."""
    if len(chosen_names(config)) > 1:
        config.stash[_UNMULTIPLIED] = [
            item.nodeid
            for item in items
            if isinstance(item, TestCaseFunction) and mentions_flows([item.obj], _class_of(item))
        ]


def report_unmultiplied(reporter: "TerminalReporter") -> None:
    """List them."""
    left_out = reporter.config.stash.get(_UNMULTIPLIED, list[str]())
    if left_out:
        only = chosen_names(reporter.config)[0]
        reporter.section(f"unittest.TestCase: run under {only} only")
        for nodeid in left_out:
            reporter.line(nodeid)


def _names_at(node: pytest.Item) -> list[str]:
    chosen, allowed = chosen_names(node.config), _allowed(node)
    if not allowed:
        return chosen or [DECLARED]
    return [name for name in chosen if name in allowed] if chosen else allowed[:1]


def _allowed(node: pytest.Item) -> list[str]:
    marker = node.get_closest_marker("task_runners")
    return list(marker.args) if marker is not None else []


def _names_are_ours(metafunc: pytest.Metafunc) -> bool:
    """Whether nobody has overridden the fixture ``task_runner_name`` for this test."""
    definitions = _definitions(metafunc, "task_runner_name")
    return bool(definitions) and definitions[-1].func.__module__ == _OUR_MODULE


def _is_simulated(metafunc: pytest.Metafunc) -> bool:
    marked = metafunc.definition.get_closest_marker("simulate") is not None
    return marked or "simulate" in metafunc.fixturenames


def _runs_flows(metafunc: pytest.Metafunc) -> bool:
    functions: list[Callable[..., Any]] = [metafunc.function]
    for name in metafunc.fixturenames:
        for definition in _definitions(metafunc, name)[-1:]:
            if definition.func.__module__ != _OUR_MODULE:
                functions.append(definition.func)
            elif name in _OF_FLOWS:
                return True
    return mentions_flows(functions, _class_of(metafunc))


def _class_of(test: Any) -> type | None:
    return test.cls  # pytest leaves its type open


def _definitions(metafunc: pytest.Metafunc, name: str) -> "Sequence[pytest.FixtureDef[Any]]":
    found: Sequence[pytest.FixtureDef[Any]] = metafunc._arg2fixturedefs.get(name, ())  # pyright: ignore[reportPrivateUsage] - pytest says it nowhere else
    return found


_UNMULTIPLIED = pytest.StashKey[list[str]]()
#: fixtures that only a test of flows asks for
_OF_FLOWS = frozenset({"flow_clock", "flow_patch", "flow_runs", "flow_stub", "task_runner"})
