import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from runtime import flow, task
from runtime.context import environment
from runtime.history import FlowRunHistory, MemoryHistoryStore
from simulators.reports import Story
from simulators.schedules import Choice, Decision, Schedule

SOURCE = """\
seen = counter["value"]
counter["value"] = seen + 1
"""


@dataclass
class Done:
    run: str
    point: str
    kind: str = "statement"
    resource: Any = None
    moment: float = 0.0
    place: str = ""


@pytest.fixture
def history() -> FlowRunHistory:
    @task
    def add() -> None:
        pass

    @flow
    def count() -> None:
        add.submit().wait()
        add.submit().wait()

    store = MemoryHistoryStore()
    with environment(store=store):
        count()
    return store.history(store.flow_runs()[0].id)


@pytest.fixture
def lost_update(tmp_path: Path, history: FlowRunHistory) -> Story:
    """Two tasks of two statements each; the second goes first at the first one's second statement."""
    source = tmp_path / "counting.py"
    source.write_text(SOURCE)
    steps = [
        Done("main", "1", "submit"),
        Done("add-0", "counting.py:1.1", place=f"{source}:1"),
        Done("add-1", "counting.py:1.1", place=f"{source}:1"),
        Done("add-1", "counting.py:2.1", place=f"{source}:2"),
        Done("add-0", "counting.py:2.1", place=f"{source}:2", moment=1.5),
        Done("main", "2", "wait", resource="add-1", moment=1.5),
    ]
    decision = Choice(Decision("add-1", "counting.py:1.1"), Decision("add-0", "counting.py:2.1"))
    return Story(
        test="lost_update",
        error=AssertionError("assert 1 == 2"),
        schedule=Schedule((decision,), seed=7),
        steps=steps,
        histories=[history],
        tried=12,
        strategy="pct",
        command="pytest --flows-replay=fs1-abc tests/test_counting.py::test_count",
        root=tmp_path,
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A headless Chromium. Where there is none, what needs it is left out, and pytest says so."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed: pages are not looked at")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,900",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options, ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()
