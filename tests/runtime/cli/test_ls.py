"""``flows ls``: which flow runs are listed, and how."""

import json

import click
import pytest

from runtime.cli.ls import ls
from runtime.settings import temporary_settings


@pytest.fixture
def kept(flows):
    """Two flow runs, one of which failed."""
    flows("run", "below/sums.py:sums", "-p", "n=2")
    flows("run", "below/sums.py:mixed")


def rows(result):
    return [json.loads(line) for line in result.output.splitlines()]


def test_without_any_run_it_says_how_to_make_one(flows):
    result = flows("ls")

    assert result.exit_code == 0
    assert "There is no flow run yet" in result.output
    assert "flows run FILE.py:FLOW" in result.output


def test_runs_are_listed_newest_first(flows, kept):
    result = flows("ls")

    assert result.output.index("Failed") < result.output.index("Completed")


def test_as_json_a_run_is_an_object_on_a_line(flows, kept):
    failed, completed = rows(flows("ls", "--json"))

    assert (failed["flow"], failed["state"], failed["type"]) == ("mixed", "Failed", "FAILED")
    assert completed["parameters"] == {"n": 2, "label": "x"}
    assert completed["elapsed"] > 0


@pytest.mark.parametrize(
    ("options", "flow_names"),
    [
        (["--flow", "sums"], ["sums"]),
        (["--state", "failed"], ["mixed"]),
        (["--state", "COMPLETED"], ["sums"]),
        (["--since", "1h"], ["mixed", "sums"]),
        (["--since", "0s"], []),
        (["--limit", "1"], ["mixed"]),
        (["--flow", "sums", "--state", "failed"], []),
    ],
)
def test_filters_leave_out_runs(flows, kept, options, flow_names):
    assert [row["flow"] for row in rows(flows("ls", "--json", *options))] == flow_names


def test_filters_that_fit_nothing_say_so(flows, kept):
    assert "No flow run is like that." in flows("ls", "--flow", "other").output


def test_a_length_that_is_none_is_explained(flows):
    result = flows("ls", "--since", "soon")

    assert result.exit_code == 2
    assert "write 90s, 15m, 12h, 30d or 2w" in result.output


def test_a_store_that_cannot_be_read_is_said_in_one_line(flows, flows_home):
    flows_home.mkdir()
    (flows_home / "history.db").write_text("something else" * 1000)

    for arguments in (["ls"], ["show", "latest"], ["run", "below/sums.py:sums", "-p", "n=1"]):
        result = flows(*arguments)
        assert result.exit_code == 1
        assert "Error: History store" in result.output
        assert "is not a history store" in result.output


def test_a_history_store_that_there_is_not_is_said_in_one_line(flows):
    with temporary_settings(history="sqlight"):
        result = flows("run", "below/sums.py:sums", "-p", "n=1")

    assert result.exit_code == 1
    assert "There is no history store 'sqlight', did you mean 'sqlite'?" in result.output


def test_states_complete_themselves():
    (option,) = [param for param in ls.params if param.name == "state"]

    completed = option.shell_complete(click.Context(ls), "c")

    assert [item.value for item in completed] == ["cancelling", "completed", "crashed", "cancelled"]


def test_a_table_in_a_file_is_as_wide_as_it_must_be(flows, folder):
    name = "[red]monthly settlement of all accounts of the company, and of those that it has bought"
    (folder / "long.py").write_text(f"from runtime import flow\n@flow(name={name!r})\ndef long(): pass\n")
    assert flows("run", "long.py:long").exit_code == 0

    assert f" {name} " in flows("ls").output
