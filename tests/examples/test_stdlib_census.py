"""The census counts what a plain loop counts, retries what is worth it, and survives what does not parse."""

import ast
import csv
import shutil
import subprocess
import sys
import tokenize
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from examples import stdlib_census
from runtime.context import current_environment, environment
from runtime.history import FlowRunHistory, MemoryHistoryStore
from runtime.task_runners import SequentialTaskRunner

# What the compiler says of the source that is counted.
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with a file of each kind."""
    folder = tmp_path / "library"
    (folder / "package").mkdir(parents=True)
    (folder / "site-packages").mkdir()
    (folder / "plain.py").write_text("import os\n\ndef f():\n    class C: pass\n    async def g(): pass\n")
    (folder / "package" / "latin.py").write_bytes("# coding: latin-1\nname = 'Zoë'\n".encode("latin-1"))
    (folder / "package" / "old.py").write_text("print 'hello'\n")
    (folder / "package" / "undecodable.py").write_bytes(b"name = '\xf6'\n")
    (folder / "site-packages" / "installed.py").write_text("import os\n")
    return folder


def history_of_census(library: Path, folder: Path) -> FlowRunHistory:
    with environment(store=MemoryHistoryStore()):
        stdlib_census.census(library, folder)
        store = current_environment().store
        return store.history(store.flow_runs()[0].id)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "census.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_census_counts_what_is_in_each_file(library, tmp_path):
    stdlib_census.census(library, tmp_path / "census")

    rows = {row["file"]: row for row in table(tmp_path / "census")}
    assert list(rows) == ["package/latin.py", "package/old.py", "package/undecodable.py", "plain.py"]
    assert rows["plain.py"] == {
        "file": "plain.py",
        "lines": "5",
        "functions": "2",
        "classes": "1",
        "imports": "1",
        "encoding": "utf-8",
        "problem": "",
    }


def test_a_file_in_another_encoding_is_read_by_a_retry(library, tmp_path):
    history = history_of_census(library, tmp_path / "census")

    assert history["count-0"].names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert table(tmp_path / "census")[0]["encoding"] == "iso-8859-1"


def test_files_that_do_not_parse_fail_their_own_tasks_alone(library, tmp_path):
    history = history_of_census(library, tmp_path / "census")

    assert history["count-1"].names == ["Pending", "Running", "Failed"]
    assert history["count-2"].names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]
    assert history["count-3"].names == ["Pending", "Running", "Completed"]
    assert history.states.names[-1] == "Completed"
    problems = [row["problem"] for row in table(tmp_path / "census")]
    assert problems[1].startswith("SyntaxError: Missing parentheses in call to 'print'")
    assert problems[2].startswith("SyntaxError: ")


def test_the_report_is_a_subflow_whose_tasks_run_one_after_the_other(library, tmp_path):
    history = history_of_census(library, tmp_path / "census")

    assert [run.flow_name for run in history.subflow_runs] == ["report"]
    assert history["report/write_table-0"].final.is_completed()
    assert history["report/write_page-0"].final.is_completed()
    assert history["report/write_table-0"][-1].index < history["report/write_page-0"][1].index


def test_the_page_stands_alone_and_shows_the_packages_as_bars(library, tmp_path):
    stdlib_census.census(library, tmp_path / "census")

    page = (tmp_path / "census" / "index.html").read_text(encoding="utf-8")
    plot = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + len("</svg>")])
    assert [text.text for text in plot.iter("text")] == ["plain", "5", "package", "2"]
    assert len(list(plot.iter("rect"))) == 2
    assert links(page) == []
    assert "package/old.py" in page


@pytest.mark.slow
def test_the_census_of_this_machine_agrees_with_a_plain_loop(tmp_path):
    expected = {}
    library = stdlib_census.STANDARD_LIBRARY
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).as_posix()
        if "site-packages" not in name:
            expected[name] = plainly_counted(path)

    totals = stdlib_census.census(folder=tmp_path / "census")

    rows = table(tmp_path / "census")
    found = {
        row["file"]: None
        if row["problem"]
        else tuple(int(row[column]) for column in ("lines", "functions", "classes", "imports"))
        for row in rows
    }
    assert found == expected
    assert totals["files"] == len(expected) > 1000
    assert totals["files that do not parse"] == sum(count is None for count in expected.values())
    assert totals["lines"] == sum(count[0] for count in expected.values() if count is not None)


def plainly_counted(path: Path) -> tuple[int, int, int, int] | None:
    """Lines, functions, classes and imports of one file, or None where it does not parse."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
        with tokenize.open(path) as file:
            lines = file.read().splitlines()
    except (SyntaxError, UnicodeDecodeError):
        return None
    return (
        len(lines),
        sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        sum(isinstance(node, ast.ClassDef) for node in nodes),
        sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes),
    )


def links(page: str) -> list[str]:
    """Whatever a browser would fetch for the page."""
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if name in {"src", "href"})

    Links().feed(page)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("task_runner", ["concurrent", "dask", "ray"])
def test_the_census_is_the_same_on_every_task_runner(library, tmp_path, task_runner):
    shutil.copytree(stdlib_census.STANDARD_LIBRARY / "email", library / "email")
    stdlib_census.census.with_options(task_runner=SequentialTaskRunner())(library, tmp_path / "expected")

    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("flows"), "run", f"{stdlib_census.__file__}:census"),
            *("--param", f"library={library}", "--param", f"folder={tmp_path / 'census'}"),
            *("--task-runner", task_runner),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert run.returncode == 0, run.stderr
    assert (tmp_path / "census" / "census.csv").read_bytes() == (
        tmp_path / "expected" / "census.csv"
    ).read_bytes()
