"""A file with a flow that has a race, and the command, in this process."""

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli import main

FLOWS = """
import time
from pathlib import Path
from runtime import flow, task

SLOW = Path("slow")
balance = {"all": 0}

@task
def deposit(amount, seconds):
    before = balance["all"]
    if SLOW.exists():
        time.sleep(seconds)
    balance["all"] = before + amount
    return amount

@flow
def night(limit: int = 3):
    balance["all"] = 0
    for future in [deposit.submit(1, 0.4), deposit.submit(2, 0.2)]:
        future.wait()
    assert balance["all"] == limit, f"{balance['all']} are there"

@flow
def guarded(password: str):
    deposit.submit(1, 0).wait()
    raise ValueError("refused")

@task(persist_result=True)
def pay(amount):
    with open("paid", "a") as file:
        file.write(f"{amount} ")
    return amount

@task
def refuse(amount):
    with open("paid", "a") as file:
        file.write("refused ")
    raise LookupError(f"nobody takes {amount}")

@flow
def bills():
    refuse.submit(pay.submit(pay.submit(3))).wait()

@flow
def fine():
    balance["all"] = 0
    deposit.submit(deposit.submit(1, 0), 0).wait()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The working folder, with night.py in it."""
    (tmp_path / "night.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def flows(folder: Path) -> Callable[..., Result]:
    """The command, in this process. Each time the flows are loaded anew, as in a process of its own."""

    def called(*arguments: str) -> Result:
        sys.modules.pop("night", None)
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return called
