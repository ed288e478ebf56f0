"""The hooks that pytest sees. Each hands over to the file that knows.

Loading this costs every pytest run, also those without a flow: neither this file nor what it imports
touches the runtime. What does is imported by the fixture or the option that needs it.
"""

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_flows import hookspecs
from pytest_flows.homes import move_home
from pytest_flows.leak_options import begin_watch, check_leak_option, end_watch, forgiven, report_leaks
from pytest_flows.multiplying import MARKER, SIMULATE_MARKER, multiply, note_unmultiplied, report_unmultiplied
from pytest_flows.options import add_options, chosen_names
from pytest_flows.reached import gather_coverage, report_reached, take_over
from pytest_flows.replays import report_replays
from pytest_flows.reports import add_sections, make_printable, note_flow_runs
from pytest_flows.sessions import backends_of, leave_broken_cluster, listener_of, note_modules
from pytest_flows.shadows import describe_shadows

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter  # pytest 8.0 has it nowhere else

# pytest does so by itself for what a wheel installed, not for what is worked on.
pytest.register_assert_rewrite("pytest_flows.assertions", "pytest_flows.suite")

pytest_plugins = ["pytest_flows.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the group ``flows``."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that suites may implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Make our markers known, and leave the developer's own files alone."""
    check_leak_option(config)
    move_home(config)
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", SIMULATE_MARKER)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Put the chosen task runner in place of what flows declare."""
    if chosen_names(session.config):
        backends_of(session.config)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply the tests that run flows, where several task runners were chosen."""
    multiply(metafunc)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember where tests are, and which of them could not be multiplied."""
    note_modules(session.config, session.items)
    note_unmultiplied(session.config, session.items)


@pytest.hookimpl(wrapper=True, trylast=True)  # before pytest-cov, which reports when all tests have run
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Gather what coverage has measured in workers."""
    try:
        return (yield)
    finally:
        gather_coverage(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from one process of xdist what its tests have reached."""
    take_over(node)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember what was there before the test, which finds a whole cluster."""
    leave_broken_cluster(item.config)
    note_flow_runs(item)
    begin_watch(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: "pytest.FixtureDef[Any]", request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Let fixtures that several tests share keep what they start."""
    if fixturedef.scope == "function":
        return (yield)
    with forgiven(request.config):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """See what the test has left, when all of its fixtures have ended."""
    yield
    end_watch(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what flows and workers did in reports of failures, and whatever else is in them safely."""
    report = yield
    add_sections(item, report)
    make_printable(report)
    return report


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """See to it that the stacks of threads are known when pytest-timeout ends a test."""
    listener = listener_of(item.config)
    if listener is not None:
        listener.watch(settings.timeout)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> None:
    """The test has ended in time, or not."""
    listener = listener_of(item.config)
    if listener is not None:
        listener.unwatch()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run a test that is marked so once for each schedule."""
    marker = pyfuncitem.get_closest_marker("simulate")
    if marker is None:
        return None
    from pytest_flows.simulating import run_simulated

    run_simulated(pyfuncitem, marker)
    return True


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say how histories differ, and what is in them."""
    if "runtime.history" not in sys.modules:
        return None
    from pytest_flows.differences import explanation

    return explanation(op, left, right)


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """List schedules that failed, tests that could not be multiplied, and what tests left behind."""
    report_replays(terminalreporter)
    report_unmultiplied(terminalreporter)
    report_leaks(terminalreporter)
    report_reached(terminalreporter)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which task runner flows run under, and what hides our packages."""
    names = chosen_names(config)
    return [*([f"task runner: {', '.join(names)}"] if names else []), *describe_shadows()]
