"""A Ray that was there before: ``ray start --head``, reached as ``ray://`` and as ``host:port``."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.runtime.task_runners.ray.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "d" * 64, "RAY_USAGE_STATS_ENABLED": "0"}
#: what a server for one client may need to start, in seconds; 30 are not enough where much else runs
PATIENT = {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120"}


@pytest.fixture(scope="module")
def head():
    """A Ray started on the command line; gives the ports of its control process and of its client server."""
    ports = free_port(), free_port()
    with TemporaryDirectory(prefix="flows-", dir="/tmp") as folder:  # short, for its sockets
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")),
                "start",
                "--head",
                "--block",
                f"--port={ports[0]}",
                f"--ray-client-server-port={ports[1]}",
                "--include-dashboard=false",
                f"--temp-dir={folder}",
                "--num-cpus=2",
            ],
            env={**os.environ, **TOKEN, **PATIENT, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if "--block" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield ports
        finally:
            family = [process, *psutil.Process(process.pid).children(recursive=True)]
            for each in family:
                try:
                    each.kill()
                except psutil.NoSuchProcess:
                    continue
            process.wait()
            process.stdout.close()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


SUITE = """
import pytest
from pytest_flows.suite import TaskRunnerStandardTestSuite
from runtime.task_runners import RayTaskRunner

@pytest.fixture(scope="session", autouse=True)
def connected():
    with RayTaskRunner(address={address!r}).start():
        yield

class TestOnExistingRay(TaskRunnerStandardTestSuite):
    many = 30

    @pytest.fixture
    def task_runner(self, connected):
        return RayTaskRunner(address={address!r})
"""


def test_the_standard_tests_pass_by_ray_client(head, tmp_path):
    path = tmp_path / "test_existing.py"
    path.write_text(SUITE.format(address=f"ray://127.0.0.1:{head[1]}"))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=150", str(path)],
        env={**os.environ, **TOKEN, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


RUNS = """
import sys
from runtime import flow, task
from runtime.task_runners import RayTaskRunner
import ray

@task
def add(x):
    return x + 1

@flow(task_runner=RayTaskRunner(address=sys.argv[1] if len(sys.argv) > 1 else None))
def adds():
    return add.submit(add.submit(1)).result()

if __name__ == "__main__":
    for _ in range(2):
        print("SUM", adds(), ray.is_initialized())
"""


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_cluster_is_used_and_left_as_it_was(head, driver, how):
    address = f"127.0.0.1:{head[0]}"
    script = (
        driver(RUNS, address, **TOKEN) if how == "argument" else driver(RUNS, RAY_ADDRESS=address, **TOKEN)
    )

    assert script.ended() == 0, script.output
    assert re.findall("SUM.*", script.output) == ["SUM 3 False"] * 2
