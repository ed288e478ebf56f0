"""Files with flows in them, and the command run on them, in this process and in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli import main

#: the command as it is installed
COMMAND = str(Path(sys.executable).with_name("flows"))

SUMS = """
from neighbour import ONE
from runtime import flow, get_run_logger, task

@task
def add(a, b):
    return a + b

@task
def fail():
    raise ValueError("nothing to add")

@flow
def sums(n: int, label: str = "x"):
    print("label", repr(label))
    get_run_logger().info("adding up")
    return [add.submit(i, ONE) for i in range(n)]

@flow
def mixed():
    add.submit(1, 2)
    fail.submit().result()

@flow
async def later(n: int = 1):
    return [await add.submit(i, ONE).result_async() for i in range(n)]

plain = len
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The working folder, with sums.py in a folder below it."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "sums.py").write_text(SUMS)
    (tmp_path / "below" / "neighbour.py").write_text("ONE = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def flows(folder: Path) -> Callable[..., Result]:
    """The command, in this process."""
    return lambda *arguments: CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def start(folder: Path) -> Generator[Callable[..., "subprocess.Popen[str]"]]:
    """The command, in a process of its own, which does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
