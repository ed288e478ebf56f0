"""The commands that look at flow runs, end them, move them and forget them."""

import json
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from runtime.history import FlowRunHistory, SQLiteHistoryStore
from runtime.history.guarantees import violations

SLOW = """
import time
from runtime import flow, get_run_logger, task

@task(persist_result=True)
def note(n):
    get_run_logger().warning("noted %s", n)
    return n

@task
def wait():
    for _ in range(600):
        time.sleep(0.1)

@flow
def child():
    return note.submit(3)

@flow
def quick():
    get_run_logger().info("begins")
    note.submit(1).wait()
    child()

@flow
def slow():
    print("begun", flush=True)
    wait.submit().wait()

@flow
def failing():
    raise ValueError("not today")
"""


@pytest.fixture(autouse=True)
def file(folder):
    (folder / "slow.py").write_text(SLOW)


@pytest.fixture
def under_way(start):
    process = start("run", "slow.py:slow")
    process.stdout.readline()
    return process


def state(flows):
    return json.loads(flows("ls", "--limit", "1", "--json").output)["state"]


@pytest.mark.slow
def test_the_log_of_a_run_holds_its_lines_and_those_of_its_tasks(flows, start):
    assert start("run", "slow.py:quick").wait(60) == 0

    shown = flows("logs", "latest").output

    for line in ("| begins", "| noted 1", "| noted 3", "Task run 'note-"):
        assert line in shown
    warnings = flows("logs", "latest", "--level", "warning").output
    assert [line.partition(" | ")[2] for line in warnings.splitlines()] == ["noted 1", "noted 3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "configuration",
    [
        "import logging; logging.basicConfig(level='ERROR')",
        "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}})",
        "import logging; logging.getLogger('flows').setLevel('CRITICAL')",
    ],
    ids=["basic", "dictionary", "silenced"],
)
def test_the_log_is_kept_whole_however_logging_is_configured(flows, start, folder, configuration):
    (folder / "configured.py").write_text(f"{configuration}\n{SLOW}")

    process = start("run", "configured.py:quick")
    _, errors = process.communicate(timeout=60)

    shown = [line.partition(" | ")[2] for line in flows("logs", "latest").output.splitlines()]
    assert {"begins", "noted 1", "noted 3"} <= set(shown)
    assert shown[-1].startswith("Flow run '")
    assert errors == ""


@pytest.mark.slow
def test_the_console_shows_the_log_as_json_where_the_setting_says_so(flows, start):
    process = start("run", "slow.py:quick", FLOWS_LOG_FORMAT="json")
    _, errors = process.communicate(timeout=60)

    lines = [json.loads(line) for line in errors.splitlines()]
    noted = next(line for line in lines if line["message"] == "noted 1")
    assert (noted["level"], noted["logger"]) == ("WARNING", "flows.task_runs")
    assert noted["task_run_name"].startswith("note-")
    assert {line["flow_run_id"] for line in lines if line["message"] == "begins"} == {noted["flow_run_id"]}


def test_the_log_holds_why_a_run_failed(flows):
    flows("run", "slow.py:failing")

    (line,) = flows("logs", "latest", "--level", "error", "--json").output.splitlines()

    assert json.loads(line)["level"] == "ERROR"
    assert json.loads(line)["message"].endswith("ValueError: not today")


@pytest.mark.slow
def test_a_run_is_cancelled_from_another_process_within_a_second_or_so(flows, under_way):
    began = time.monotonic()

    result = flows("cancel", "latest", "--wait")

    assert result.exit_code == 0
    assert "Cancelled after" in result.output
    assert time.monotonic() - began < 10
    assert under_way.wait(30) == 1
    assert state(flows) == "Cancelled"


def test_a_run_that_has_ended_cannot_be_cancelled(flows):
    flows("run", "slow.py:quick")

    result = flows("cancel", "latest")

    assert result.exit_code == 1
    assert "is not under way. How it ended: flows show" in result.output


@pytest.mark.slow
def test_a_run_whose_process_is_gone_is_not_waited_for(flows, under_way):
    under_way.send_signal(signal.SIGKILL)
    under_way.wait(30)

    assert "is not under way" in flows("cancel", "latest").output
    assert state(flows) == "Crashed"


@pytest.mark.slow
def test_a_run_is_watched_until_it_ends(flows, start, under_way):
    watching = start("watch", "latest")
    first = watching.stdout.readline()

    flows("cancel", "latest")
    rest, _ = watching.communicate(timeout=60)

    assert "slow-0  Pending" in first
    assert "wait-0  Cancelled" in rest
    assert "slow-0  Cancelled" in rest.splitlines()[-1]
    assert watching.returncode == 1


def test_a_run_that_has_ended_is_watched_at_once(flows):
    flows("run", "slow.py:quick")

    result = flows("watch", "latest")

    assert result.exit_code == 0
    assert "child-0  Completed" in result.output
    assert len(result.output.splitlines()) == 3 + 3 + 3 + 3


def test_a_history_travels_as_json(flows, flows_home, folder):
    flows("run", "slow.py:quick")
    flows("export", "latest", "-o", "run.json")
    before = FlowRunHistory.from_json((folder / "run.json").read_text())
    (flows_home / "history.db").unlink()

    result = flows("import", "run.json")

    assert result.exit_code == 0
    store = SQLiteHistoryStore(flows_home / "history.db")
    (run,) = store.flow_runs()
    assert store.history(run.id).to_json() == before.to_json()
    assert flows("export", "latest").output.strip() == before.to_json()


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"format": "flows-history", "version": 9}'])
def test_what_is_no_history_is_not_taken_in(flows, folder, flows_home, content):
    (folder / "run.json").write_text(content)

    result = flows("import", "run.json")

    assert result.exit_code == 1
    assert "Error: " in result.output
    assert flows("ls", "--json").output == ""


def test_a_history_that_is_there_is_not_taken_in_again(flows):
    flows("run", "slow.py:quick")
    flows("export", "latest", "-o", "run.json")

    result = flows("import", "run.json")

    assert result.exit_code == 1
    assert "is there already" in result.output


def test_old_runs_are_forgotten_with_all_that_belongs_to_them(flows, flows_home):
    flows("run", "slow.py:quick")
    assert len(list((flows_home / "results").glob("*.result"))) == 2

    assert flows("gc", "--keep", "1h").output == "Forgot 0 flow runs and 0 results.\n"
    assert flows("gc", "--keep", "0s").output == "Forgot 1 flow runs and 2 results.\n"

    assert list((flows_home / "results").glob("*.result")) == []
    with closing(sqlite3.connect(flows_home / "history.db")) as connection:
        for table in ("flow_run", "task_run", "state_change", "log_line"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.slow
def test_what_is_under_way_is_not_forgotten(flows, flows_home, under_way):
    assert "Forgot 0 flow runs" in flows("gc", "--keep", "0s").output
    flows("cancel", "latest", "--wait")

    store = SQLiteHistoryStore(flows_home / "history.db")
    assert violations(store.history(store.flow_runs()[0].id)) == []
    assert "Forgot 1 flow runs" in flows("gc", "--keep", "0s").output


def test_gc_without_a_length_explains_itself(flows):
    result = flows("gc")

    assert result.exit_code == 2
    assert "--keep" in result.output


@pytest.mark.parametrize(
    "arguments", [("logs",), ("watch",), ("cancel",), ("export",), ("resume",), ("show",)]
)
def test_a_run_that_there_is_not_is_said_in_one_line(flows, arguments):
    result = flows(*arguments, "nobody")

    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no flow run 'nobody'")


def test_a_failed_run_is_resumed_from_the_command_line(flows, folder):
    flows("run", "slow.py:failing")
    assert flows("resume", "latest").exit_code == 1
    (folder / "slow.py").write_text(SLOW.replace('raise ValueError("not today")', "return 1"))

    changed = flows("resume", "latest")
    assert changed.exit_code == 1
    assert "The code of flow 'failing' is another one" in changed.output
    assert "--changed-code" in changed.output
    assert flows("resume", "latest", "--changed-code").exit_code == 0

    assert json.loads(flows("ls", "--json").output)["run_count"] == 3
