"""Flows under observation, and a browser for what is to be looked at."""

import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from pytest_flows.suite.base import checked_store, observing
from pytest_flows.suite.gates import Gate, Ledger
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

#: plugins of others that are installed to be tested with, and take no part in any other test
NEIGHBOURS = ("anyio", "asyncio", "hypothesispytest", "randomly", "rerunfailures")


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Pytest's own, whose runs load none of the neighbours."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in NEIGHBOURS if name != "anyio"))
    return pytester


@pytest.fixture
def store():
    """Keeps the histories of a test's flow runs; what is true of every history is checked at the end."""
    with checked_store() as store:
        yield store


@pytest.fixture
def observe(store):
    """Runs a flow, sync or async, to its end: ``observe(flow, *args).state`` and ``.history``."""
    return observing(store)


@pytest.fixture(params=[SequentialTaskRunner, ConcurrentTaskRunner], ids=["sequential", "concurrent"])
def runner(request):
    """Each runner that runs tasks in this process."""
    return request.param()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


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
