"""Which flow a target names, and what is said where it names none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]


@pytest.mark.parametrize("target", ["below/sums.py:later", "below.sums:later", "below/sums.py:sums"])
def test_a_flow_is_found_in_a_file_or_a_module(flows: Command, folder: Path, target: str) -> None:
    (folder / "below" / "__init__.py").touch()
    (folder / "neighbour.py").write_text("ONE = 1\n")

    assert flows("run", target, "--param", "n=1").exit_code == 0


def test_a_flow_is_found_by_its_own_name(flows: Command, folder: Path) -> None:
    (folder / "named.py").write_text("from runtime import flow\n@flow(name='the-flow')\ndef it(): pass\n")

    assert flows("run", "named.py:the-flow").exit_code == 0


def test_the_name_may_be_left_out_where_there_is_one_flow(flows: Command, folder: Path) -> None:
    (folder / "single.py").write_text("from runtime import flow\n@flow\ndef it(): print('here')\n")

    assert "here" in flows("run", "single.py").output
    assert "Which flow? Write below/sums.py:FLOW. Flows there: sums, mixed, later" in flat(
        flows("run", "below/sums.py")
    )


def test_a_file_that_is_called_like_a_loaded_module_is_found(flows: Command, folder: Path) -> None:
    (folder / "json.py").write_text("from runtime import flow\n@flow\ndef it(): print('ours')\n")

    assert "ours" in flows("run", "json.py:it").output


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("below/sum.py:sums", "There is no file 'below/sum.py'. Did you mean 'sums.py'?"),
        ("nowhere/sums.py:sums", "There is no file 'nowhere/sums.py'."),
        ("below/sums.py:summs", "There is no flow 'summs' in below/sums.py. Did you mean 'sums'?"),
        ("below/sums.py:xyz", "There is no flow 'xyz' in below/sums.py. Flows there: sums, mixed, later"),
        ("below/sums.py:add", "'add' in below/sums.py is a task. Tasks run in flows:"),
        ("below/sums.py:plain", "'plain' in below/sums.py is a function without @flow above it."),
        ("below/sums.py:number", "'number' in below/sums.py is no flow but 3."),
        ("below/neighbour.py:x", "There is no flow at all: put @flow above a function."),
        ("nomodule:sums", "There is no module 'nomodule'."),
        ("nomodule.sums:sums", "There is no module 'nomodule'."),
    ],
)
def test_what_is_wrong_with_a_target_is_said(flows: Command, folder: Path, target: str, message: str) -> None:
    (folder / "below" / "__init__.py").touch()

    result = flows("run", target)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in flat(result)


def test_an_error_in_the_users_file_is_shown_as_theirs(flows: Command, folder: Path) -> None:
    (folder / "broken.py").write_text("import helper\n")
    (folder / "helper.py").write_text("def divide():\n    return 1 / 0\n\ndivide()\n")

    result = flows("run", "broken.py:it")

    assert result.exit_code == 1
    assert [line.strip() for line in result.stderr.splitlines() if "File" in line] == [
        f'File "{folder}/broken.py", line 1, in <module>',
        f'File "{folder}/helper.py", line 4, in <module>',
        f'File "{folder}/helper.py", line 2, in divide',
    ]
    assert "ZeroDivisionError: division by zero" in result.stderr


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def f(:\n", "SyntaxError"),
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("import sys\nsys.exit(4)\n", "SystemExit: 4"),
        ("from runtime import task\n@task(retries=-1)\ndef f(): pass\n", "retries"),
    ],
)
@pytest.mark.parametrize("target", ["broken.py:it", "broken:it"])
def test_a_file_that_cannot_be_imported_ends_the_command(
    flows: Command, folder: Path, source: str, error: str, target: str
) -> None:
    (folder / "broken.py").write_text(source)

    result = flows("run", target)

    assert result.exit_code == 1
    assert "could not be imported" in result.stderr
    assert error in result.stderr


def flat(result: Result) -> str:
    return " ".join(result.stderr.split())
