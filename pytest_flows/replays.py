"""Schedules that failed: kept for the next session, and shown as one line to paste."""

import hashlib
import shlex
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter  # pytest 8.0 has it nowhere else

#: how a report carries the line, also from one process of xdist to another, and into junit files
PROPERTY = "flows_replay"


def command(item: pytest.Item, token: str) -> str:
    """The line that replays the schedule, in a fresh checkout too."""
    expected = (
        item.config.getoption("runxfail", default=False) and item.get_closest_marker("xfail") is not None
    )
    return f"pytest {shlex.quote(item.nodeid)} --flows-replay={token}{' --runxfail' if expected else ''}"


def keep(item: pytest.Item, token: str) -> None:
    """Replay this schedule first, next time, and show how to replay it now."""
    item.user_properties.append((PROPERTY, command(item, token)))
    cache = _cache(item)
    if cache is not None:
        cache.set(_key(item), token)


def kept(item: pytest.Item) -> str | None:
    """The schedule under which the test failed when it last ran."""
    cache = _cache(item)
    found: object = cache.get(_key(item), "") if cache is not None else None
    return found if isinstance(found, str) and found else None


def forget(item: pytest.Item) -> None:
    """The test passes under the schedule that was kept."""
    cache = _cache(item)
    if cache is not None:
        cache.set(_key(item), "")


def report_replays(reporter: "TerminalReporter") -> None:
    """List the lines that replay what failed."""
    lines = [
        str(value)
        for report in reporter.getreports("failed")
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        reporter.section("failing schedules")
        for line in dict.fromkeys(lines):
            reporter.line(line)


def _cache(item: pytest.Item) -> Any:
    """Pytest's cache, whose types it leaves open; None where it is switched off."""
    return getattr(item.config, "cache", None)


def _key(item: pytest.Item) -> str:
    return f"flows/schedules/{hashlib.sha256(item.nodeid.encode()).hexdigest()[:16]}"
