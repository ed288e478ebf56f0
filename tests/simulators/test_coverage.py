"""Coverage sees each line of every schedule."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
from itertools import product
import coverage
import program
from simulators import explore

for seed, points in product(range(4), ["statements", "operations"]):
    measurement = coverage.Coverage(data_file=None, branch=True, include=["program.py"])
    measurement.start()
    explore(program.deposits, strategy="random", schedules=1, seed=seed, points=points)
    measurement.stop()
    data = measurement.get_data()
    [file] = data.measured_files()
    print(sorted(data.lines(file)))
"""

PROGRAM = """\
from runtime import flow, task

@task
def deposit(account, amount):
    before = account["balance"]
    after = before + amount
    account["balance"] = after

def body():
    account = {"balance": 0}
    futures = [deposit.submit(account, amount) for amount in (1, 2)]
    for future in futures:
        future.wait()
    return None

deposits = flow(body)
"""

#: what each schedule runs of the two functions
LINES = [5, 6, 7, 10, 11, 12, 13, 14]


@pytest.mark.slow
@pytest.mark.parametrize("core", ["ctrace", "pytrace", *(["sysmon"] if sys.version_info >= (3, 14) else [])])
def test_coverage_sees_every_line_of_each_schedule(tmp_path: Path, core: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        cwd=tmp_path,
        env=os.environ | {"COVERAGE_CORE": core},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout.splitlines() == [str(LINES)] * 8, done.stderr
