"""Ray itself, and all that is needed of it beyond its documented interface.

Ray's annotations are incomplete, so its names are untyped here, once, instead of wherever they are used.
"""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

try:
    import ray as _ray
except ImportError as error:
    raise ImportError("Running tasks on Ray needs Ray: pip install 'pytest-flows[ray]'") from error

from ray import _raylet as _raylet_module
from ray._private import auto_init_hook, ray_constants, services

ray = cast("Any", _ray)
#: How many bytes of a worker's log to look at, from its end.
_LOOKED_AT = 100_000
_raylet = cast("Any", _raylet_module)


def client_address() -> str | None:
    """Where Ray Client is connected to; None where this process is a driver of its own."""
    context = ray.util.client.ray.get_context()
    worker = context.client_worker
    return str(worker._conn_str) if worker is not None and context.is_connected() else None


def gcs_address() -> str:
    """Where the control process of the Ray in use listens."""
    return str(ray.get_runtime_context().gcs_address)


def raylet_socket() -> str:
    """The socket file of the raylet that this process is connected to."""
    return str(ray._private.worker._global_node.raylet_socket_name)


def fatal_signal(process: int) -> str | None:
    """The signal that ended a worker of this machine, such as ``SIGSEGV``, if it left a word of that.

    Ray's workers write it into their log. One that was killed writes nothing.
    """
    node = ray._private.worker._global_node
    if node is None:
        return None
    for log in Path(node.get_logs_dir_path()).glob(f"worker-*-{process}.err"):
        found = re.search(rb"\*\*\* (SIG[A-Z]+) received", log.read_bytes()[-_LOOKED_AT:])
        if found is not None:
            return found[1].decode()
    return None


def canonical(address: str) -> str:
    """The address as Ray itself would call it."""
    return address if "://" in address else str(cast("Any", services).canonicalize_bootstrap_address(address))


def job_that_imports_what_we_can() -> Any:
    """A description of this process as a Ray job, whose workers look for modules where it does.

    Ray itself tells them of the script's folder and the current one, not of others that were added to
    ``sys.path``.
    """
    installed = (sys.prefix, sys.base_prefix)
    added = [path for path in sys.path if path and not path.startswith(installed)]
    return ray.job_config.JobConfig(_py_driver_sys_path=added[::-1])  # workers put each in front


def read_environment_again() -> None:
    """Let Ray's native part see how ``RAY_*`` variables are now: it reads them once."""
    if not ray.is_initialized():
        _raylet.Config.initialize("")
        _raylet.AuthenticationTokenLoader.instance().reset_cache()


def listen_on_loopback(wanted: bool) -> bool:
    """Whether a Ray started here is to be reachable from this machine alone; returns what was said before.

    Ray does so on macOS and Windows; elsewhere it listens on all interfaces, whatever address it is given.
    """
    constants = cast("Any", ray_constants)
    before = not constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = not wanted
    return before


@contextmanager
def no_dashboard_process() -> Generator[None]:
    """Where a Ray is started in the block, nothing is started for its dashboard.

    Without a dashboard, Ray starts its process all the same, for statistics of use alone, and ``ray.init``
    waits for that: a quarter of the time that it takes.
    """
    untyped = cast("Any", services)
    before = untyped.start_api_server
    untyped.start_api_server = _no_api_server
    try:
        yield
    finally:
        untyped.start_api_server = before


def _no_api_server(*_: object, **__: object) -> tuple[str, None]:
    """Its address, and the process: what Ray understands where there is none."""
    return "", None


def cancel(ref: Any, *, force: bool, known: Any) -> None:
    """Cancel the task that makes ``ref``, soon. ``known``: any small object that is there.

    Ray ends this whole process where one thread cancels a task while another one hears of its end ("Tried to
    complete task that was not pending", seen in 2.60). So it is done on the thread that hears: there
    Ray calls back about small objects.
    """

    def called_back(content: object) -> None:
        del content
        ray.cancel(ref, force=force)

    if client_address() is not None:  # the server of Ray Client cancels for us, on a thread of its choice
        called_back(None)
    else:
        known._on_completed(called_back)


def start_nothing_by_accident() -> None:
    """Calls to Ray that come after its end raise from now on. They would start another Ray."""
    cast("Any", auto_init_hook).enable_auto_connect = False
