"""The page, looked at in a real browser."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from runtime import flow, task
from runtime.context import environment
from runtime.dash import Dash
from runtime.history import SQLiteHistoryStore
from runtime.task_runners import ConcurrentTaskRunner
from tests.runtime.dash.conftest import wait_until

pytestmark = pytest.mark.slow


class Page:
    """What is seen in the browser, and done."""

    def __init__(self, browser: Chrome, dash: Dash) -> None:
        self.browser = browser
        self.link = dash.link
        browser.get(dash.link)
        self.see(".runs tbody tr, .empty")
        self.base = browser.current_url.partition("#")[0]

    def open(self, place: str) -> None:
        self.browser.get(f"{self.base}#/{place}")

    def all(self, selector: str) -> list[str]:
        """The texts, read in one go: the page may draw anew between two."""
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText.trim())"
        return self.browser.execute_script(script, selector)

    def see(self, selector: str, says: Callable[[list[str]], object] = bool) -> list[str]:
        """The texts of what fits, once there are such, or once they are as ``says`` wants them."""
        wait_until(lambda: says(self.all(selector)))
        return self.all(selector)

    def click(self, selector: str) -> None:
        self.see(selector)
        self.browser.execute_script("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def colours(self) -> int:
        """How many different colours the bars of the timeline have."""
        return self.browser.execute_script("""
            const canvas = document.querySelector("canvas.bars");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size""")


@pytest.fixture
def page(browser: Chrome, dash: Dash) -> Iterator[Page]:
    browser.get_log("performance")
    browser.get_log("browser")
    yield Page(browser, dash)
    browser.get("about:blank")


@pytest.fixture
def failed(kept: SQLiteHistoryStore) -> str:
    return kept.summaries(state="failed")[0].flow_run.id.hex


def test_the_list_shows_runs_newest_first_and_the_address_no_token(page):
    assert page.see(".runs tbody .chip") == ["✕\nFailed", "✓\nCompleted"]
    assert "token" not in page.browser.current_url
    assert page.browser.get_cookies()[0]["httpOnly"]


def test_the_list_is_searched_and_filtered(page):
    page.press("/", "no such run")
    assert page.see(".empty", lambda texts: texts == ["No run is like that."])

    page.press(*[Keys.BACKSPACE] * 11, "nightly")
    page.see(".runs tbody tr", lambda texts: len(texts) == 2)
    page.browser.find_element(By.CSS_SELECTOR, "select").send_keys("completed")
    page.see(".runs .chip", lambda texts: texts == ["✓\nCompleted"])
    page.browser.find_element(By.CSS_SELECTOR, "select").send_keys("all")
    page.browser.find_element(By.CSS_SELECTOR, "input[type=search]").clear()


def test_a_run_shows_its_timeline_its_task_runs_and_its_log(page, failed):
    page.open(f"run/{failed}")

    page.see(".timeline[data-painted]", lambda found: len(found) == 1)
    assert page.see("h1 .chip") == ["✕\nFailed"]
    assert sorted(page.see(".tallies .chip")) == ["⊘\nNotReady 1", "✓\nCompleted 2", "✕\nFailed 1"]
    assert page.see(".parameters code")[0] == "sources = 3"
    assert page.see(".log .words", lambda lines: "asking source 1" in lines)
    assert page.colours() > 4


def test_a_selected_task_run_tells_its_states_and_what_it_is_linked_to(page, failed):
    page.open(f"run/{failed}")
    page.see(".tasks tbody tr", lambda rows: len(rows) == 4)

    page.press("/", "fetch-1", Keys.ESCAPE)
    page.see(".tasks tbody tr", lambda rows: len(rows) == 1)
    page.click(".tasks tbody tr")

    states = page.see(".states .chip", lambda chips: len(chips) == 5)
    assert [state.partition("\n")[2] for state in states] == [
        "Pending",
        "Running",
        "AwaitingRetry",
        "Retrying",
        "Failed",
    ]
    assert "Task run encountered an exception." in page.all(".states pre")
    assert page.all(".links li") == ["load-0"]
    page.see(".log .who", lambda lines: set(lines) == {"fetch-1"})


def test_arrow_keys_walk_from_task_run_to_task_run(page, failed):
    page.open(f"run/{failed}")
    page.see(".timeline[data-painted]", lambda found: len(found) == 1)
    page.browser.execute_script("document.querySelector('.overlay').focus()")

    page.press(Keys.ARROW_DOWN)
    first = page.see(".details h2")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    second = page.see(".details h2", lambda texts: texts and texts != first)
    page.press(Keys.ESCAPE)

    assert first[0].startswith("the flow itself")
    assert second != first
    assert page.see(".details .empty")


def test_pointing_at_a_bar_says_what_it_is(page, failed):
    page.open(f"run/{failed}")
    page.see(".timeline[data-painted]", lambda found: len(found) == 1)
    canvas = page.browser.find_element(By.CSS_SELECTOR, ".overlay")
    left, top = 132 + 200 - canvas.size["width"] // 2, 34 - canvas.size["height"] // 2

    ActionChains(page.browser).move_to_element_with_offset(canvas, left, top).perform()

    assert page.see(".tip:not([hidden])")[0].startswith("the flow itself")


def test_a_run_is_seen_live_until_it_ends(browser, tmp_path):
    go_on, running = threading.Event(), threading.Event()

    @task
    def slow() -> None:
        running.set()
        assert go_on.wait(60)

    @flow(task_runner=ConcurrentTaskRunner())
    def patient() -> None:
        slow.submit().result()

    def run() -> None:
        with environment(store=store):
            patient()

    store = SQLiteHistoryStore(tmp_path / "history.db")
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert running.wait(60)
        with Dash(store) as dash:
            page = Page(browser, dash)
            page.click(".runs a")
            page.see(".tallies .chip", lambda chips: chips == ["▶\nRunning 1"])
            assert page.see(".live") == ["live"]
            go_on.set()
            page.see(".tallies .chip", lambda chips: chips == ["✓\nCompleted 1"])
            page.see("h1 .chip", lambda chips: chips == ["✓\nCompleted"])
            assert page.all(".live") == []
            browser.get("about:blank")
    finally:
        go_on.set()
        thread.join()
        store.close()


def test_two_runs_are_compared_by_key(page):
    page.see(".runs tbody tr", lambda rows: len(rows) == 2)

    page.press("j", "c", "j", "c")

    page.see(".timeline[data-painted]", lambda found: len(found) == 2)
    rows = page.see(".differences tr.differs")
    assert any("fetch-1" in row and "Failed" in row and "2 attempts" in row for row in rows)
    assert any("load-0" in row and "NotReady" in row for row in rows)
    assert all("fetch-0" not in row for row in rows)


def test_the_page_is_dark_where_the_reader_likes_it_dark(page):
    def background(scheme: str) -> str:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        return str(page.browser.execute_script("return getComputedStyle(document.body).backgroundColor"))

    assert (background("light"), background("dark")) == ("rgb(255, 255, 255)", "rgb(16, 21, 25)")


def test_the_page_asks_its_server_alone_and_has_no_errors(page, failed):
    page.open(f"run/{failed}")
    page.see(".timeline[data-painted]", lambda found: len(found) == 1)

    messages = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) > 10
    assert {url for url in asked if not url.startswith(page.base)} == set()
    assert page.browser.get_log("browser") == []


def test_what_user_code_says_is_shown_and_never_run(browser, tmp_path):
    hostile = (
        "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"
    )

    @task(task_run_name=hostile)
    def named() -> None:
        raise ValueError(hostile)

    @flow(flow_run_name=hostile)
    def hostile_flow(parameter: str) -> None:
        named()

    store = SQLiteHistoryStore(tmp_path / "history.db")
    with environment(store=store):
        hostile_flow(hostile, return_state=True)
    with Dash(store) as dash:
        page = Page(browser, dash)
        assert page.see(".runs a") == [hostile]
        page.click(".runs a")
        page.click(".tasks tbody tr")
        page.see(".details p", lambda texts: texts == [hostile])

        assert browser.title == f"{hostile} · Failed"
        assert page.all("main img, main script") == []
        browser.get("about:blank")
    store.close()
