"""How long the page of a flow run takes to show something, and to show all of it, in a real browser."""

import shutil
import statistics
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

from runtime import flow, task
from runtime.context import environment
from runtime.dash import Dash
from runtime.history import SQLiteHistoryStore
from runtime.task_runners import ConcurrentTaskRunner

_ROUNDS = 7
#: task runs whose results one more takes
_TAKEN = 9


class PageLoad(NamedTuple):
    """How far a page has come, and when."""

    name: str
    moment: str
    #: since it was asked for, the median of some loads
    milliseconds: float
    promised: str = ""


def page_loads() -> Iterator[PageLoad]:
    """Runs of 10,000 and of 100,000 task runs; none where Chromium is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        return
    for n in (10_000, 100_000):
        with (
            TemporaryDirectory() as folder,
            closing(_store_of(Path(folder), n)) as store,
            Dash(store) as dash,
            _browser(chromium, driver) as browser,
        ):
            browser.get(dash.link)
            page = f"{browser.current_url.partition('#')[0]}#/run/{store.flow_runs()[0].id.hex}"
            loads = [_load(browser, page) for _ in range(_ROUNDS + 1)][1:]
        name, promised = f"page of a run of {n:,} task runs", "under 1 s" if n == 10_000 else ""
        for moment in _MOMENTS:
            yield PageLoad(name, moment, statistics.median(load[moment] for load in loads), promised)
            name, promised = "", ""  # said once


def _store_of(folder: Path, n: int) -> SQLiteHistoryStore:
    """A store with one flow run of ``n`` task runs on eight threads; one in a hundred fails."""

    @task
    def fetch(number: int) -> int:
        if number % 100 == 42:
            raise LookupError(number)
        return number

    @task
    def add(numbers: list[int]) -> int:
        return sum(numbers)

    @flow(task_runner=ConcurrentTaskRunner(max_workers=8))
    def many() -> None:
        for start in range(0, n, _TAKEN + 1):
            fetched = [fetch.submit(start + place) for place in range(_TAKEN)]
            add.submit(fetched).wait()

    store = SQLiteHistoryStore(folder / "history.db")
    with environment(store=store):
        many(return_state=True)
    return store


@contextmanager
def _browser(chromium: str, driver: str) -> Generator[Chrome]:
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"):
        options.add_argument(argument)
    browser = Chrome(options, ChromeService(driver))
    try:
        cast("Any", browser).execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        yield browser
    finally:
        browser.quit()


def _load(browser: Chrome, page: str) -> dict[str, float]:
    """When the page came how far."""
    execute = cast("Any", browser).execute_script
    browser.get("about:blank")  # else only the part after # would change
    browser.get(page)
    WebDriverWait(browser, 120, 0.1).until(lambda _: execute("return arguments[0] in window.seen", _ALL))
    return execute("return window.seen")


_ALL = "all of it"
_MOMENTS = ("first contentful paint", "first bars of the timeline", _ALL)
#: looks at each frame, from within the page, so that the driver's own delays count for nothing
_WATCH = """
window.seen = {};
function look() {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  if (paint) seen["first contentful paint"] ??= paint.startTime;
  const bars = document.querySelector(".timeline[data-painted]");
  if (bars) seen["first bars of the timeline"] ??= performance.now();
  if (document.querySelector(".tallies button") && paint) seen["all of it"] ??= performance.now();
  else requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""
