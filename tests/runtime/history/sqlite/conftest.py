"""Stores in files of their own, and programs that write to them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from runtime.history import SQLiteHistoryStore

#: what programs begin with: a flow of ``n`` tasks, and a store at ``path``
PROLOGUE = """
import asyncio, json, os, sys
from runtime import flow, task
from runtime.context import environment
from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

path, *arguments = map(json.loads, sys.argv[1:])

@task
def add(x, y):
    return x + y

@flow(task_runner=SequentialTaskRunner())
def sums(n):
    return sum(add.submit(i, 1).result() for i in range(n))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be; neither it nor its folder is there."""
    return tmp_path / "kept" / "history.db"


@pytest.fixture
def store(path: Path) -> Generator[SQLiteHistoryStore]:
    store = SQLiteHistoryStore(path, patience=5.0)
    yield store
    store.close()


@pytest.fixture
def program(path: Path) -> Generator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a program that begins as above; it gets the path of the store, and arguments."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + code, json.dumps(str(path)), *map(json.dumps, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FLOWS_LOG_LEVEL": "CRITICAL"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
