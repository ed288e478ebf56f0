"""The end of Ray, and of drivers: nothing hangs, nothing is left. Each test has a process of its own."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.runtime.task_runners.ray.conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: A flow with tasks under way and others that wait for a slot; it says when they run.
BLOCKED = """
import os, sys, time
from pathlib import Path
from runtime import flow, task
from runtime.task_runners import RayTaskRunner

@task
def waits(place):
    Path(place).touch()
    time.sleep(600)

@task
def add(x):
    return x + 1

@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 1}))
def blocked():
    futures = [waits.submit(f"{os.getcwd()}/running-{n}") for n in range(2)]
    while not Path("running-0").exists() and not Path("running-1").exists():
        time.sleep(0.01)
    while not any(future.get_state().is_running() for future in futures):
        time.sleep(0.01)
    print("RUNNING", flush=True)
    for future in futures:
        print("STATE", future.wait(), flush=True)
    began = time.monotonic()
    print("LATER", add.submit(1).wait(), time.monotonic() - began < 5, flush=True)
    return 0

if __name__ == "__main__":
    print("FLOW", blocked(return_state=True), flush=True)
    {then}
"""


def private_folder(driver):
    """The folder of the private Ray that a driver has started."""
    for argument in driver.member("raylet").cmdline():
        if argument.startswith("--raylet_socket_name="):
            return Path(argument.partition("=")[2]).parents[3]
    raise AssertionError("A raylet has a socket")


@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_all_tasks_crash_when_ray_dies_and_later_ones_at_once(driver, victim):
    script = driver(
        BLOCKED.replace("{then}", "print('AGAIN', again(), flush=True)").replace(
            "if __name__ ==", AGAIN + "\nif __name__ =="
        )
    )
    script.wait_for("RUNNING")
    folder = private_folder(script)

    killed = time.monotonic()
    script.member(victim).kill()
    script.wait_for("LATER", limit=30)
    took = time.monotonic() - killed

    script.wait_for("AGAIN 2", limit=60)
    assert script.ended() == 0
    assert script.output.count("STATE Crashed(message='Ray is lost") == 2
    assert "LATER Crashed(message='Ray is lost" in script.wait_for("LATER")
    assert "True" in script.wait_for("LATER")
    assert took < 30
    assert script.left_after(15) == []
    assert not folder.exists()


AGAIN = """
@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 1}))
def again():
    return add.submit(1).result()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_driver_that_is_ended_leaves_nothing_behind(driver, number):
    script = driver(BLOCKED.replace("{then}", "pass"))
    script.wait_for("RUNNING")
    folder = private_folder(script)

    os.kill(script.process.pid, number)
    script.ended(90)

    assert script.left_after(15) == []
    until(lambda: not folder.exists(), 15)
    if number != signal.SIGKILL:
        assert "finished in state Crashed" in script.output


PRIVATE = """
import os, socket, stat, sys
import psutil
from runtime import flow, task
from runtime.task_runners import RayTaskRunner

@task
def token():
    return os.environ.get("RAY_AUTH_MODE"), len(os.environ.get("RAY_AUTH_TOKEN", ""))

@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 1}))
def looks():
    print("TOKEN", *token.submit().result())
    family = {process.pid for process in psutil.Process().children(recursive=True)} | {os.getpid()}
    open_to = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in family}
    print("LISTENS", sorted(open_to))
    parts = [part for process in psutil.Process().children() for part in process.cmdline()]
    print("DASHBOARD", [part for part in parts if part.endswith("dashboard.py")])
    raylet = next(p for p in psutil.Process().children() if p.name() == "raylet")
    path = next(a for a in raylet.cmdline() if a.startswith("--raylet_socket_name=")).partition("=")[2]
    folder = path.partition("/r/session_")[0]
    print("FOLDER", folder, oct(stat.S_IMODE(os.stat(folder).st_mode)))
    return 0

if __name__ == "__main__":
    before = dict(os.environ)
    looks()
    print("ENVIRONMENT", set(os.environ.items()) ^ set(before.items()))
"""


def test_a_private_ray_is_private(driver, tmp_path):
    script = driver(PRIVATE, HOME=str(tmp_path))

    assert script.ended() == 0, script.output
    assert script.wait_for("TOKEN") == "TOKEN token 64"
    assert set(script.wait_for("LISTENS")[8:].strip("[]").replace("'", "").split(", ")) <= {
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "::1",
    }
    assert script.wait_for("DASHBOARD") == "DASHBOARD []"
    _, folder, mode = script.wait_for("FOLDER").split()
    assert mode == "0o700"
    assert not Path(folder).exists()
    assert script.wait_for("ENVIRONMENT") == "ENVIRONMENT set()"
    assert not (tmp_path / ".ray").exists()
    assert not [name for name in Path("/dev/shm").iterdir() if "plasma" in name.name]


HOG = """
import os, sys, time
from runtime import flow, task
from runtime.task_runners import RayTaskRunner

@task
def hog():
    kept = []
    while True:
        kept.append(b"x" * 50_000_000)
        time.sleep(0.02)

limit = {"memory_usage_threshold": float(sys.argv[1]), "memory_monitor_refresh_ms": 100}

@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 1, "_system_config": limit}))
def hogs():
    print("STATE", hog.submit().wait())
    return 0

if __name__ == "__main__":
    hogs()
"""


def test_a_task_that_takes_too_much_memory_crashes_and_says_so(driver):
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 2_500_000_000) / memory.total

    script = driver(HOG, f"{threshold:.4f}")
    state = script.wait_for("STATE", limit=90)

    assert "Crashed" in state
    assert "memory limit" in state
    assert script.ended() == 0


BROKEN = """
import json, sys
from runtime import flow, task
from runtime.task_runners import RayTaskRunner

@task
def never():
    print("RAN")

@flow(task_runner=RayTaskRunner(**json.loads(sys.argv[1])))
def starts():
    never.submit()

if __name__ == "__main__":
    state = starts(return_state=True)
    print("STATE", state)
    print("CAUSE", type(state.data.__cause__).__name__)
"""


@pytest.mark.parametrize(
    "options",
    [
        {"address": "ray://{nobody}"},
        {"address": "ray://{somebody}"},
        {"address": "{somebody}"},
        {"init_kwargs": {"_temp_dir": "/proc/flows"}},
        {"init_kwargs": {"_plasma_directory": "/proc/flows"}},
        {"init_kwargs": {"object_store_memory": 10**15}},
    ],
    ids=["nobody-there", "no-ray-client-there", "no-ray-there", "folder", "shared-folder", "shared-memory"],
)
def test_a_ray_that_does_not_start_crashes_the_flow_before_any_task(driver, options):
    with socket.socket() as nobody, socket.socket() as somebody:
        ports = {}
        for name, one in (("nobody", nobody), ("somebody", somebody)):
            one.bind(("127.0.0.1", 0))
            ports[name] = f"127.0.0.1:{one.getsockname()[1]}"
        somebody.listen()  # and never says a word
        if "address" in options:
            options = {"address": options["address"].format(**ports)}
        script = driver(BROKEN, json.dumps(options))
        script.ended(90)

    assert "Crashed" in script.wait_for("STATE")
    assert "could not start" in script.wait_for("STATE")
    assert "CAUSE NoneType" not in script.wait_for("CAUSE")
    assert "RAN" not in script.output
    assert script.left_after(15) == []


LOST_NODE = """
import os, sys
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="c" * 64, RAY_TMPDIR=sys.argv[1])
from ray.cluster_utils import Cluster
from runtime import flow, task
from runtime.task_runners import RayTaskRunner, remote_options

@task
def makes():
    return b"x" * 1_000_000

@task
def length(content):
    return len(content)

quick = {
    "health_check_failure_threshold": 2,
    "health_check_period_ms": 200,
    "health_check_timeout_ms": 500,
    "health_check_initial_delay_ms": 0,
}

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": quick})
    node = cluster.add_node(num_cpus=1, resources={"other": 1})

    @flow(task_runner=RayTaskRunner(address=cluster.address))
    def loses():
        with remote_options(resources={"other": 1}):
            made = makes.submit()
        made.wait()
        cluster.remove_node(node, allow_graceful=False)
        print("STATE", length.submit(made).wait())
        try:
            made.result()
        except Exception as error:
            print("RESULT", type(error).__name__, error)
        return 0

    try:
        loses()
    finally:
        cluster.shutdown()
"""


def test_a_result_that_died_with_its_node_crashes_what_depends_on_it(driver):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="flows-", dir="/tmp") as folder:  # short, for its sockets
        script = driver(LOST_NODE, folder)
        script.wait_for("STATE", limit=90)
        assert script.ended() == 0, script.output

    assert "STATE Crashed(message='Result lost" in script.output
    assert "RESULT CrashedRun The result is lost" in script.output
    assert script.left_after(15) == []
