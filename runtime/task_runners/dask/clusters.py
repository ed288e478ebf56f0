"""Clusters: starting one, or joining one, and leaving it as it was."""

import ipaddress
import logging
import multiprocessing
import socket
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

import distributed
from dask import config
from distributed import LocalCluster, Scheduler, performance_report

from runtime.logging import ENGINE
from runtime.settings import current_settings
from runtime.task_runners.dask.environment import environment_kept
from runtime.task_runners.dask.patience import Client, Nanny
from runtime.task_runners.dask.scheduler import OneAttempt

#: Seconds to wait for a scheduler that is said to be there.
CONNECT_WITHIN = 10
#: Seconds that a worker of our own may take to start.
START_WITHIN = 60
#: Where Dask's dashboard is by default.
DASHBOARD_PORT = 8787


def cluster_class(given: Any) -> Callable[..., Any]:
    """The class, or the function, that makes a cluster: itself, or by its path. Raises ``ValueError``."""
    if given is None:
        return LocalCluster
    if not isinstance(given, str):
        return cast("Callable[..., Any]", given)
    module, _, name = given.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cluster_class={given!r} names nothing that can be imported: {error}") from error


@contextmanager
def temporary_cluster(
    kind: Callable[..., Any], cluster_kwargs: dict[str, Any], adapt_kwargs: dict[str, Any]
) -> Generator[Any]:
    """A cluster of our own for the length of the block; it listens on loopback alone by default."""
    name = f"{kind.__module__}.{getattr(kind, '__qualname__', repr(kind))}"
    ENGINE.info("Creating a new Dask cluster with `%s`", name)
    kwargs = dict(cluster_kwargs)
    if kind is LocalCluster:
        refuse_unguarded_main()
        _fill_in(kwargs)
    with ExitStack() as stack:
        stack.enter_context(environment_kept())
        with config.set({"distributed.scheduler.allowed-failures": 0}), _handlers_kept():
            cluster = stack.enter_context(kind(**kwargs))
        if adapt_kwargs:
            cluster.adapt(**adapt_kwargs)
        if link := str(getattr(cluster, "dashboard_link", None) or ""):
            if str(kwargs.get("dashboard_address", "")).startswith("127.0.0.1:"):
                # Dask shows this machine's name for it, where it does not listen
                link = urlsplit(link)._replace(netloc=f"127.0.0.1:{urlsplit(link).port}").geturl()
            ENGINE.info("The Dask dashboard is available at %s", link)
        yield cluster


@contextmanager
def connected(
    target: Any, client_kwargs: dict[str, Any], report_path: str | None
) -> Generator[distributed.Client]:
    """A client of a cluster, or of the scheduler at an address; a client is taken as it is, and stays."""
    kwargs: dict[str, Any] = {"set_as_default": False, "timeout": CONNECT_WITHIN, **client_kwargs}
    with ExitStack() as stack:
        is_client = isinstance(target, distributed.Client)
        client = target if is_client else stack.enter_context(Client(target, **kwargs))
        if report_path is not None:
            stack.enter_context(_reported(client, report_path))
        yield client


def leave_retries_to_us(client: Any, cluster: Any, plugin: OneAttempt) -> None:
    """Have the scheduler run each attempt once, as long as the driver is there, if the scheduler lets us."""
    scheduler = getattr(cluster, "scheduler", None)
    if isinstance(scheduler, Scheduler):  # it lives in this process
        client.sync(_add, scheduler, plugin)
        return
    try:
        client.register_plugin(plugin)
    except Exception as error:  # forbidden, or what the scheduler makes of a plugin that it cannot read
        ENGINE.warning(
            "The Dask scheduler does not take our plugin (%s): when a worker dies, it may start a task again "
            "by itself. That is noticed once it happens.",
            error,
        )


def check_address(address: str) -> None:
    """Warn of an address that others may listen to; raise ``ValueError`` where settings forbid those."""
    parts = urlsplit(address)
    if parts.scheme in {"tls", "inproc", "wss", "https"} or _is_loopback(parts.hostname or ""):
        return
    problem = (
        f"The Dask scheduler at {address} is reached without TLS: whoever can listen to the network, or "
        "reach that port, can read all data and run code on the cluster. Use an address with tls://."
    )
    if current_settings().require_tls:
        raise ValueError(f"{problem} (The setting require_tls forbids others.)")
    warnings.warn(problem, UserWarning, stacklevel=2)


def refuse_unguarded_main() -> None:
    """Raise where this process is a worker being born, which is importing the main script to that end."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            "A flow was called while a worker process was importing the main script, and would start workers "
            "without end. Call flows under `if __name__ == '__main__':` only."
        )


def _fill_in(kwargs: dict[str, Any]) -> None:
    """Say to a ``LocalCluster`` what the user has not."""
    kwargs.setdefault("dashboard_address", f"127.0.0.1:{_free_port(DASHBOARD_PORT)}")
    kwargs.setdefault("death_timeout", START_WITHIN)  # Dask itself would wait for ever
    if kwargs.get("processes", True):
        kwargs.setdefault("worker_class", Nanny)


@contextmanager
def _reported(client: distributed.Client, path: str) -> Generator[None]:
    """Have Dask write its report. It asks for the current client, on what may be two threads."""
    report = performance_report(filename=path)
    with client.as_current():
        report.__enter__()
    try:
        yield
    finally:
        with client.as_current():
            cast("Any", report).__exit__(None, None, None)


@contextmanager
def _handlers_kept() -> Generator[None]:
    """Dask silences itself by way of handlers, and where those are everybody's, it silences everybody."""
    levels = [(handler, handler.level) for handler in logging.getLogger().handlers]
    try:
        yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)


async def _add(scheduler: Scheduler, plugin: OneAttempt) -> None:
    scheduler.add_plugin(plugin, name=plugin.name)
    await plugin.start(scheduler)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _free_port(preferred: int) -> int:
    """The port, or 0 for any: of one that is taken Dask would warn, and then take another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return 0
    return preferred
