"""What is left of a cluster when its driver is interrupted or killed, and scripts that lack their guard."""

import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from tests.runtime.task_runners.dask.test_faults import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SCRIPT = """
    import os, sys, time
    from pathlib import Path
    from runtime import flow, task
    from runtime.task_runners import DaskTaskRunner

    @task
    def works(folder):
        Path(folder, f"started-{os.getpid()}").touch()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.01)

    kwargs = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=kwargs))
    def long():
        works.submit(sys.argv[1]).result()
"""
GUARDED = (
    SCRIPT
    + """
    if __name__ == "__main__":
        long()
"""
)
UNGUARDED = (
    SCRIPT
    + """
    long()
"""
)


@pytest.fixture
def script(tmp_path):
    """Runs a script: ``process = script(text)``."""
    running = []

    def run(text):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(text))
        running.append(
            subprocess.Popen(
                [sys.executable, path, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGKILL]]
)
def test_no_process_is_left_when_the_driver_is_told_to_end(script, tmp_path, signals):
    driver = script(GUARDED)
    until(lambda: list(tmp_path.glob("started-*")), limit=60)
    family = psutil.Process(driver.pid).children(recursive=True)

    for number in signals:
        os.kill(driver.pid, number)

    assert driver.wait(30) != 0
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_script_without_a_guard_is_told_so_and_starts_no_storm(script):
    driver = script(UNGUARDED)

    said, _ = driver.communicate(timeout=100)

    assert driver.returncode != 0
    assert "if __name__ == '__main__'" in said
