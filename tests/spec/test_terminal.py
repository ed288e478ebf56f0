"""What a script shows on the terminal: prints and the log, line by line as the specification has it."""

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

BLOCKS = Path(__file__).parent / "blocks"

SHOWN = """\
13:46:58.865 | Beginning flow run 'olivine-swan' for flow 'sequential-flow'...
13:46:58.866 | Starting task runner `SequentialTaskRunner`...
13:46:58.934 | Submitting task run 'hello_local-a087a829-0' to task runner...
Hello!
13:46:58.955 | Task run 'hello_local-a087a829-0' finished in state Completed(message=None, type=COMPLETED)
13:46:58.981 | Beginning subflow run 'discreet-peacock' for flow 'dask-subflow'...
13:46:58.981 | Starting task runner `DaskTaskRunner`...
13:46:58.981 | Creating a new Dask cluster with `distributed.deploy.local.LocalCluster`
13:46:59.339 | The Dask dashboard is available at http://127.0.0.1:8787/status
13:46:59.369 | Submitting task run 'hello_dask-e80d21db-0' to task runner...
Hello from Dask!
13:47:00.066 | Task run 'hello_dask-e80d21db-0' finished in state Completed(message=None, type=COMPLETED)
13:47:00.070 | Shutting down task runner `DaskTaskRunner`...
13:47:00.294 | Subflow run 'discreet-peacock' finished in state Completed(message='All states completed.', type=COMPLETED)
13:47:00.305 | Submitting task run 'hello_local-a087a829-1' to task runner...
Hello!
13:47:00.325 | Task run 'hello_local-a087a829-1' finished in state Completed(message=None, type=COMPLETED)
13:47:00.326 | Shutting down task runner `SequentialTaskRunner`...
13:47:00.334 | Flow run 'olivine-swan' finished in state Completed(message='All states completed.', type=COMPLETED)
"""  # noqa: E501 - as it stands on the terminal


@pytest.mark.slow
def test_a_subflow_on_dask_shows_line_by_line_what_is_specified(tmp_path):
    script = script_of("multiple_task_runners")

    shown = terminal(script, tmp_path)

    assert form(shown) == form(SHOWN)


@pytest.mark.slow
def test_a_subflow_on_threads_shows_the_same_but_for_the_cluster(tmp_path):
    script = script_of("multiple_task_runners").replace("DaskTaskRunner", "ConcurrentTaskRunner")

    shown = terminal(script, tmp_path)

    without_cluster = [
        line for line in SHOWN.splitlines() if "cluster with" not in line and "dashboard" not in line
    ]
    assert form(shown) == form("\n".join(without_cluster).replace("DaskTaskRunner", "ConcurrentTaskRunner"))


def script_of(block: str) -> str:
    """A block as a script, with the guard that worker processes need."""
    lines = (BLOCKS / f"{block}.py").read_text(encoding="utf-8").splitlines()
    return "\n".join([*lines[:-1], 'if __name__ == "__main__":', f"    {lines[-1]}", ""])


def terminal(script: str, folder: Path) -> str:
    """What a script, run by itself, writes to both of its streams."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-u", path.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=True,
    )
    return run.stdout


def form(shown: str) -> list[str]:
    """The lines with times, ports, chosen names and task keys counted instead of told."""
    numbers = count()
    known: dict[str, str] = {}

    def told(match: re.Match[str]) -> str:
        return known.setdefault(match[0], f"<{next(numbers)}>")

    timeless = re.sub(r"^\d\d:\d\d:\d\d\.\d{3} \| ", "<time> | ", shown, flags=re.MULTILINE)
    timeless = re.sub(r"(?<=http://127\.0\.0\.1:)\d+", "<port>", timeless)
    return re.sub(
        r"(?<=run ')[a-z]+-[a-z]+(?=')|(?<=[a-z]-)[0-9a-f]{8}(?=-\d+')", told, timeless
    ).splitlines()
