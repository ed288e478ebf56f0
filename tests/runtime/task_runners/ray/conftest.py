"""One Ray for all tests that leave it as it was; others run in a process of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytest_flows.suite.gates import Gate, Ledger

ROOT = Path(__file__).parents[4]


@pytest.fixture
def ledger(tmp_path):
    """Where tasks note that they were run."""
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def gate(tmp_path):
    """A gate that is shut."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def driver(tmp_path):
    """Runs a script as a driver of its own: ``driver(script, *arguments)``."""
    started = []

    def start(script, *arguments, **environment):
        path = tmp_path / f"driver_{len(started)}.py"
        path.write_text(script)
        started.append(Driver(path, arguments, environment))
        return started[-1]

    yield start
    for each in started:
        each.end()


class Driver:
    """A script under way, and all processes that came of it."""

    def __init__(self, path, arguments, environment):
        self._output = path.with_suffix(".out")
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(path), *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=path.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )
        self._family = {}

    @property
    def output(self):
        return self._output.read_text()

    def wait_for(self, text, limit=60):
        """Wait until the script has printed ``text``; returns the line that has it."""
        until(lambda: text in self.output or self.process.poll() is not None, limit, lambda: self.output)
        self.family()
        found = [line for line in self.output.splitlines() if text in line]
        assert found, f"The script ended without {text!r}:\n{self.output}"
        return found[-1]

    def family(self):
        """All processes that descend from the script, as far as they were seen."""
        try:
            for each in psutil.Process(self.process.pid).children(recursive=True):
                self._family[each.pid] = each
        except psutil.NoSuchProcess:
            pass
        return list(self._family.values())

    def member(self, name):
        """The process of this name."""
        return next(each for each in self.family() if each.name().startswith(name))

    def ended(self, limit=60):
        """Wait for the end of the script; returns its exit code."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The script did not end:\n{self.output}") from None

    def left_after(self, seconds):
        """The processes that are still there ``seconds`` after now."""
        _, alive = psutil.wait_procs(self._family.values(), timeout=seconds)
        return [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]

    def end(self):
        self.family()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for each in self._family.values():
            if each.is_running():
                each.kill()


def until(condition, limit=30, explain=lambda: "nothing happened"):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.01)


def states_of(runner, submit):
    """The final states of what ``submit`` submits and returns."""
    from runtime import flow

    @flow(task_runner=runner)
    def runs():
        futures = submit()
        for future in futures:
            future.wait()
        return 0, futures

    return [future.get_state() for future in runs(return_state=True).result()[1]]
