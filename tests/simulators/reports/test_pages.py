"""The page, looked at in a real browser."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from simulators.reports import Story, page

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(browser: Chrome, lost_update: Story, tmp_path: Path) -> Iterator[Chrome]:
    file = tmp_path / "failure.html"
    file.write_text(page(lost_update), encoding="utf-8")
    browser.get_log("performance")
    browser.get(file.as_uri())
    yield browser
    browser.get("about:blank")


def all_of(browser: Chrome, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def press(browser: Chrome, *keys: str) -> list[str]:
    """Press the keys; the steps that are picked afterwards, in the picture and in the table."""
    for key in keys:
        browser.find_element(By.TAG_NAME, "body").send_keys(key)
    return [str(each.get_attribute("data-step")) for each in all_of(browser, ".picked")]


def test_the_page_shows_the_lanes_the_steps_the_states_and_the_command(opened: Chrome):
    assert opened.title == "lost_update: AssertionError"
    assert [each.text for each in all_of(opened, "svg text.lane")] == ["main", "add-0", "add-1"]
    assert len(all_of(opened, "svg circle")) == len(all_of(opened, "#steps tbody tr")) == 6
    assert [each.text for each in all_of(opened, "#steps tr.decisive code")] == ['seen = counter["value"]']
    assert all_of(opened, "#states tr")[1].text == "add-0 Pending -> Running -> Completed"
    assert all_of(opened, "#command")[0].text.startswith("pytest --flows-replay=fs1-")


def test_each_lane_stands_beside_the_one_before_and_time_goes_down(opened: Chrome):
    circles = [each.rect for each in all_of(opened, "svg circle")]

    assert len({rect["x"] + rect["width"] / 2 for rect in circles}) == 3
    assert all(above["y"] < below["y"] for above, below in itertools.pairwise(circles))


def test_keys_walk_from_step_to_step_and_to_the_next_decision(opened: Chrome):
    assert press(opened, Keys.ARROW_DOWN) == ["1", "1"]
    assert press(opened, "j", "j") == ["3", "3"]
    assert press(opened, "k", Keys.ARROW_UP, Keys.ARROW_UP) == ["1", "1"]
    assert press(opened, "n") == ["3", "3"]
    assert press(opened, "n") == ["3", "3"]


def test_a_click_on_the_picture_picks_the_row_of_the_table(opened: Chrome):
    all_of(opened, 'g[data-step="5"] circle')[0].click()

    assert opened.switch_to.active_element.get_attribute("id") == "step-5"


def test_the_page_is_dark_where_the_reader_likes_it_dark(opened: Chrome):
    def background() -> str:
        return str(opened.execute_script("return getComputedStyle(document.body).backgroundColor"))

    def prefer(scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    prefer("light")
    light = background()
    prefer("dark")

    assert (light, background()) == ("rgb(255, 255, 255)", "rgb(22, 24, 27)")


def test_the_page_asks_for_nothing_but_itself_and_has_no_errors(opened: Chrome):
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked: list[Any] = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]

    assert [url.rpartition("/")[2] for url in asked] == ["failure.html"]
    assert opened.get_log("browser") == []


def test_what_user_code_says_is_shown_and_never_run(browser: Chrome, lost_update: Story, tmp_path: Path):
    hostile = "<script>document.title = 'taken over'</script><!--steps-->"
    file = tmp_path / "hostile.html"
    file.write_text(page(replace(lost_update, test=hostile, error=ValueError(hostile), command=hostile)))

    browser.get(file.as_uri())

    assert browser.title == f"{hostile}: ValueError"
    assert all_of(browser, "pre")[0].text == f"ValueError: {hostile}"
