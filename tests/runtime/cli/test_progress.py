"""The live line on a terminal, and none elsewhere."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

LONG = """
import time
from pathlib import Path

from runtime import flow, task

@task
def quick():
    print("quick is done")

@task
def until_told():
    while not Path("told").exists():
        time.sleep(0.01)

@flow
def long():
    return [quick.submit(), until_told.submit(), until_told.submit()]
"""

Start = Callable[..., "subprocess.Popen[str]"]


class Terminal:
    """A process whose standard output and error are a terminal of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._screen, other = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
            stdout=other,
            stderr=other,
        )
        os.close(other)
        #: all that was shown so far
        self.shown = ""

    def read_until(self, pattern: str) -> None:
        """Read until ``pattern`` is shown; the timeout of the test is the limit."""
        while not re.search(pattern, self.shown):
            self.shown += os.read(self._screen, 4096).decode()

    def read_to_end(self) -> None:
        """Read until the process has closed the terminal."""
        try:
            while data := os.read(self._screen, 4096):
                self.shown += data.decode()
        except OSError:  # how Linux says that nobody is on the other side any more
            pass
        self.process.wait(timeout=30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)


@pytest.fixture
def terminal(folder: Path) -> Generator[Terminal]:
    (folder / "long.py").write_text(LONG)
    terminal = Terminal([str(Path(sys.executable).with_name("flows")), "run", "long.py"], folder)
    yield terminal
    terminal.close()


@pytest.mark.slow
def test_a_long_flow_shows_how_far_it_is(terminal: Terminal, folder: Path) -> None:
    terminal.read_until(r"1 of 3 task runs\s+Completed 1\s+Running 2")
    (folder / "told").touch()
    terminal.read_to_end()

    assert terminal.process.returncode == 0
    assert "\x1b[?25h" in terminal.shown.rpartition("\x1b[?25l")[2], "the cursor stays hidden"


@pytest.mark.slow
def test_the_log_stays_readable_around_the_live_line(terminal: Terminal, folder: Path) -> None:
    terminal.read_until("1 of 3 task runs")
    (folder / "told").touch()
    terminal.read_to_end()

    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown)
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain)]
    assert "quick is done" in lines
    for n in (0, 1):
        ended = rf"[\d:.]+ \| Task run 'until_told-[0-9a-f]{{8}}-{n}' finished in state Completed\(.+\)"
        assert sum(bool(re.fullmatch(ended, line)) for line in lines) == 1


@pytest.mark.slow
def test_there_is_no_live_line_where_there_is_no_terminal(start: Start, folder: Path) -> None:
    (folder / "long.py").write_text(LONG.replace("time.sleep(0.01)", "time.sleep(1.2); return"))

    output, errors = start("run", "long.py").communicate(timeout=60)

    assert "\x1b" not in output + errors
    assert "of 3 task runs" not in errors
