"""Who is let in, and what is answered."""

import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest

from runtime.dash import Dash


def test_the_link_buys_a_cookie_that_scripts_and_other_sites_do_not_get(dash, get):
    address = urlsplit(dash.link)

    answer = get(f"?{address.query}")

    cookie = answer.getheader("Set-Cookie")
    assert answer.status == 200
    assert cookie.endswith(f"; Path={address.path}; HttpOnly; SameSite=Strict")
    assert address.query.partition("=")[2] not in cookie


@pytest.mark.parametrize("path", ["", "app.js", "api/runs", "api/events?run=1", "?token=wrong", "?token=%ff"])
def test_nobody_is_let_in_without_token_or_cookie(get, path):
    assert get(path, Cookie="flows_dash=guessed").status == 403
    assert get(path, Cookie="").status == 403


@pytest.mark.parametrize("path", ["/", "/api/runs", "/favicon.ico"])
def test_there_is_nothing_beside_the_path_of_this_server(get, path):
    assert get(path, base="").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", ""]
)
def test_a_name_of_another_host_is_not_answered(get, host):
    assert get("api/runs", Host=host).status == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_or_port_may_not_ask_though_it_had_the_cookie(get, site):
    assert get("api/runs", Sec_Fetch_Site=site, Sec_Fetch_Mode="cors").status == 403
    assert get("app.js", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_only_reading_is_known(get, method):
    assert get("api/runs", method).status == 501


@pytest.mark.parametrize("path", ["", "style.css", "api/runs", "api/nothing", "?token=wrong"])
def test_each_answer_forbids_all_but_our_own_files(get, path):
    answer = get(path)

    policy = answer.getheader("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Cache-Control") == "no-store"
    assert answer.getheader("Server") == "flows"


@pytest.mark.parametrize(
    "path",
    [
        "api/nothing",
        "api/run",
        "api/run?run=1",
        "api/run?run=00000000000000000000000000000000",
        "api/part?run=00000000000000000000000000000000&start=-1",
        "api/part?run=00000000000000000000000000000000&start=9e9",
        "api/changes?run=00000000000000000000000000000000&of=00000000000000000000000000000000",
        "api/runs?before=x",
        "api/events?run=x",
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/access.py",
        "no.js",
    ],
)
def test_what_is_not_there_is_answered_in_words(get, path):
    answer = get(path)

    assert answer.status == 404
    assert answer.getheader("Content-Type") == "text/plain; charset=utf-8"
    assert answer.read().strip()


def test_a_store_that_is_broken_is_named_and_the_server_goes_on(tmp_path, get, kept):
    broken = tmp_path / "history.db"
    broken.write_bytes(b"no database, whatever its name says" * 100)
    sound, kept.path = kept.path, broken
    try:
        answer = get("api/runs")
    finally:
        kept.path = sound

    assert answer.status == 503
    assert "it is not a history store" in answer.read().decode()
    assert get("api/runs").status == 200


def test_runs_are_listed_searched_and_filtered(get):
    def names(query: str) -> list[str]:
        return [run["state"] for run in json.loads(get(f"api/runs?{query}").read())["runs"]]

    newest = json.loads(get("api/runs").read())["runs"][0]
    assert names("") == ["Failed", "Completed"]
    assert names("state=completed") == ["Completed"]
    assert names(f"before={newest['id']}") == ["Completed"]
    assert names("search=NIGHT") == ["Failed", "Completed"]
    assert names(f"search={newest['id'][:9]}") == ["Failed"]
    assert names("search=nothing%27%20like%20this") == []


def test_a_stream_says_how_far_a_run_has_come_and_ends_with_the_server(kept):
    run = kept.summaries()[0].flow_run.id
    heard = []
    with Dash(kept) as dash:
        address = urlsplit(dash.link)
        entry = http.client.HTTPConnection(address.netloc, timeout=30)
        entry.request("GET", f"{address.path}?{address.query}")
        answer = entry.getresponse()
        answer.read()
        cookie = answer.getheader("Set-Cookie").partition(";")[0]
        entry.request("GET", f"{address.path}api/events?run={run.hex}", headers={"Cookie": cookie})
        stream = entry.getresponse()
        heard.append(stream.readline())
    heard.append(stream.read())
    entry.close()

    position, line = kept.reached(run)
    assert heard == [f"data: {position} {line}\n".encode(), b"\n"]
    assert not [thread for thread in threading.enumerate() if thread.name == "flows-dash"]


def test_a_stream_whose_store_breaks_ends_without_a_second_head(tmp_path, get, kept):
    broken = tmp_path / "history.db"
    broken.write_bytes(b"no database, whatever its name says" * 100)
    stream = get(f"api/events?run={kept.summaries()[0].flow_run.id.hex}")
    first = stream.readline()

    sound, kept.path = kept.path, broken
    try:
        rest = stream.read()
    finally:
        kept.path = sound

    assert first.startswith(b"data: ")
    assert b"HTTP/1.1" not in rest
    assert b"history store" not in rest
