"""The Ray that this process uses: found, joined or started; and watched.

Why a thread of its own
-----------------------
Linux ends Ray's processes when the *thread* that started them ends, and a flow may run on any thread.
So one thread starts Ray, watches it, and shuts it down.

Why watched
-----------
When Ray's control process dies, tasks are never heard of again, calls hang, and after a minute Ray ends this
process. When the node's raylet dies, only some tasks are heard of. But both listen on sockets, and the
system closes those at once.
"""

import logging
import selectors
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast

from runtime.lifecycle import describe
from runtime.logging import ENGINE
from runtime.task_runners.ray.folders import PrivateFolder
from runtime.task_runners.ray.native import (
    canonical,
    client_address,
    gcs_address,
    job_that_imports_what_we_can,
    no_dashboard_process,
    ray,
    start_nothing_by_accident,
)
from runtime.task_runners.ray.surroundings import private_surroundings, surroundings_kept
from runtime.task_runners.ray.watching import (
    Endpoint,
    RayUnavailable,
    check_answers,
    endpoints_of_this_process,
)


class RayInstance:
    """One Ray, from the moment when it is started, or connected to."""

    def __init__(self, address: str | None, init_kwargs: dict[str, Any]) -> None:
        self._address = address
        self._init_kwargs = init_kwargs
        #: whether we connected to it, and are to disconnect
        self.ours = not ray.is_initialized()
        #: whether anybody may look at its tasks: a private one has no dashboard, unless asked for
        self.shows_tasks = not self.ours or address is not None or bool(init_kwargs.get("include_dashboard"))
        #: why it cannot be used any more
        self.lost: str | None = None
        #: hears why Ray is lost, on Ray's own thread; must not call Ray, and see to it that nobody does
        self.on_loss: Callable[[str], object] = _nothing
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="flows-ray", daemon=True)

    def begin(self) -> None:
        """Start it, or connect to it. Raises what Ray raises."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def end(self) -> None:
        """Disconnect from it, or shut it down; returns when that has happened."""
        with self._lock:
            if self.lost is None:
                self.lost = "Ray is not running any more: its task runner was shut down."
        self._wake_up()
        self._thread.join()

    def lose(self, why: str) -> None:
        """Give Ray up. Who uses it hears of it, once."""
        with self._lock:
            if self.lost is not None:
                return
            self.lost = why
        # Else the next call that comes too late would start a Ray of its own.
        start_nothing_by_accident()
        ENGINE.error("%s", why)
        self.on_loss(why)
        self._wake_up()

    def check_same(self, address: str | None) -> None:
        """Raise :class:`RayUnavailable` where ``address`` is that of another Ray than this process uses."""
        here = _address_here()
        if address is None or address == "auto" or canonical(address) == here:
            return
        raise RayUnavailable(
            f"This process uses the Ray at {here} already and cannot use {address!r} as well. Ask for "
            "the same address, or end the one in use first (ray.shutdown())."
        )

    def _run(self) -> None:
        with self._wake, self._waker:
            try:
                with ExitStack() as open_ray:
                    if self.ours:
                        open_ray.enter_context(surroundings_kept())
                        self._connect(open_ray)
                    endpoints = endpoints_of_this_process()
                    self._ready.set()
                    self._watch(endpoints)
            except BaseException as error:  # Ray may raise anything; it is raised where it was asked for
                if self._ready.is_set():
                    ENGINE.error("Ray did not shut down: %s", describe(error), exc_info=error)
                self._error = error
            finally:
                self._ready.set()

    def _connect(self, open_ray: ExitStack) -> None:
        # Ray says that a SIGTERM handler can only be set on the main thread, and offers a dashboard.
        options: dict[str, Any] = {"logging_level": logging.ERROR, "configure_logging": False}
        address = self._address
        if address is not None:
            ENGINE.info("Connecting to the Ray instance at %s", address)
            if address != "auto":
                check_answers(address)
        else:
            ENGINE.info("Creating a local Ray instance")
            address = "local"
            options["include_dashboard"] = False
            if "_temp_dir" not in self._init_kwargs:
                folder = PrivateFolder()
                open_ray.callback(folder.remove)
                options["_temp_dir"] = folder.inner
            open_ray.enter_context(
                private_surroundings(on_loopback="_node_ip_address" not in self._init_kwargs)
            )
            if not self.shows_tasks:
                open_ray.enter_context(no_dashboard_process())
        with _quiet():
            if "://" in address:  # Ray Client takes no job: it sends what it is given as JSON
                ray.init(address, **self._init_kwargs)
            else:
                job = job_that_imports_what_we_can()
                ray.init(address, **{**options, "job_config": job, **self._init_kwargs})
        open_ray.callback(_shut_down)

    def _watch(self, endpoints: list[Endpoint]) -> None:
        """Until nobody needs Ray any more, or it is lost."""
        with selectors.DefaultSelector() as selector, ExitStack() as sockets:
            selector.register(self._wake, selectors.EVENT_READ)
            for endpoint in endpoints:
                sockets.callback(endpoint.close)
                selector.register(endpoint.socket, selectors.EVENT_READ, endpoint)
            while self.lost is None:
                for key, _ in selector.select():
                    endpoint = cast("Endpoint | None", key.data)
                    if endpoint is None or not endpoint.closed():
                        continue
                    selector.unregister(endpoint.socket)
                    if endpoint.connect_again(lambda: self.lost is not None):
                        selector.register(endpoint.socket, selectors.EVENT_READ, endpoint)
                    else:
                        self.lose(f"Ray is lost: {endpoint.name} does not answer any more.")
                        return

    def _wake_up(self) -> None:
        with suppress(OSError):  # the thread ended already
            self._waker.send(b".")


def _shut_down() -> None:
    with _quiet():
        ray.shutdown()


@contextmanager
def _quiet() -> Generator[None]:
    """Ray logs about what is as it should be: that its handler for SIGTERM is not set on this thread."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _address_here() -> str:
    client = client_address()
    if client is not None:
        return f"ray://{client}"
    return gcs_address()


def _nothing(why: str) -> None:
    del why
