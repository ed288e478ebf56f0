"""What is done about what tests leave behind: nothing, a report, or an error."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter  # pytest 8.0 has it nowhere else

    from pytest_flows.leaks import LeakWatch

#: how a report carries what was left, also from one process of xdist to another
PROPERTY = "flows_leak"
_MODES = ("off", "report", "error")


def add_leak_option(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add ``--flows-leaks``, and its twin."""
    group.addoption(
        "--flows-leaks",
        choices=_MODES,
        help="what becomes of a test that leaves threads, processes, ports, folders or changes of the "
        "environment behind: report lists them at the end, error fails it",
    )
    parser.addini("flows_leaks", "the same as --flows-leaks", type="string", default="report")


def check_leak_option(config: pytest.Config) -> None:
    """Raise ``UsageError`` for what the configuration file must not say."""
    if _mode(config) not in _MODES:
        raise pytest.UsageError(f"flows_leaks = {_mode(config)}: expected {', '.join(_MODES)}")


def begin_watch(item: pytest.Item) -> None:
    """Watch a test, if there are flows in this session."""
    if "runtime" in sys.modules and _mode(item.config) != "off":
        from pytest_flows.leaks import LeakWatch

        if _WATCH not in item.config.stash:
            item.config.stash[_WATCH] = LeakWatch()
        item.config.stash[_WATCH].begin()


def end_watch(item: pytest.Item) -> None:
    """Report what a test has left, or fail it."""
    watch = item.config.stash.get(_WATCH, None)
    if watch is None:
        return
    leaks = watch.end(_shared(item))
    if leaks:
        item.ihook.pytest_flows_leaked(item=item, leaks=leaks)
    item.user_properties += [(PROPERTY, str(leak)) for leak in leaks]
    if leaks and _mode(item.config) == "error":
        pytest.fail("\n".join(["The test leaves behind", *map(str, leaks)]), pytrace=False)


def forgiven(config: pytest.Config) -> AbstractContextManager[None]:
    """A block in which things are started that outlive the test."""
    watch = config.stash.get(_WATCH, None)
    return watch.forgiven() if watch is not None else nullcontext()


def report_leaks(reporter: "TerminalReporter") -> None:
    """List what tests have left."""
    reports = [report for reports in reporter.stats.values() for report in reports]
    leaks = [
        (report.nodeid, str(value))
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if leaks:
        reporter.section("left behind")
        for nodeid, leak in leaks:
            reporter.line(f"{nodeid}: {leak}")


def _shared(item: pytest.Item) -> list[object]:
    """The values of the fixtures that the test shares with others."""
    info: Any = getattr(item, "_fixtureinfo", None)  # of tests that are functions; pytest has no other way
    fixtures = (
        [each for found in info.name2fixturedefs.values() for each in found] if info is not None else []
    )
    return [each.cached_result[0] for each in fixtures if each.scope != "function" and each.cached_result]


def _mode(config: pytest.Config) -> str:
    given: str | None = config.getoption("--flows-leaks")
    return given if given is not None else config.getini("flows_leaks")


_WATCH: "pytest.StashKey[LeakWatch]" = pytest.StashKey()
