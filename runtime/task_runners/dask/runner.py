"""Tasks on a Dask cluster: one that is started for the flow, or one that is there."""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from dask.base import get_annotations
from distributed import Client

from runtime.envelope import Attempt
from runtime.exceptions import CrashedRun
from runtime.futures import PrefectFuture
from runtime.lifecycle import Lost
from runtime.logging import ENGINE
from runtime.remote import Packer
from runtime.task_runners.dask.clusters import (
    check_address,
    cluster_class,
    connected,
    leave_retries_to_us,
    temporary_cluster,
)
from runtime.task_runners.dask.deaths import watched
from runtime.task_runners.dask.scheduler import OneAttempt
from runtime.task_runners.dask.sent import Sent
from runtime.task_runners.dask.traffic import Traffic
from runtime.task_runners.sending import SendingTaskRunner

#: Seconds in which results that are still referred to are fetched from a cluster that is about to go.
KEEP_WITHIN = 60
#: The annotations that the scheduler is told.
_ANNOTATIONS = ("priority", "resources", "workers", "allow_other_workers")


class DaskTaskRunner(SendingTaskRunner):
    """Runs tasks on Dask.

    Without arguments it starts a cluster of worker processes on this machine for each flow run; scripts
    must then call flows under ``if __name__ == "__main__":``.

    Args:
        address: of a scheduler that is running, such as ``"tcp://127.0.0.1:8786"``.
        cluster: a Dask cluster that is running.
        client: a ``distributed.Client`` that is connected. Flow runs share it, and leave it open.
        cluster_class: what makes a temporary cluster: a class, a function, or the path of one such as
            ``"dask_cloudprovider.aws.FargateCluster"``.
        cluster_kwargs: arguments for ``cluster_class``.
        adapt_kwargs: arguments for ``cluster.adapt``; the temporary cluster grows and shrinks if given.
        client_kwargs: arguments for ``distributed.Client``.
        performance_report_path: where to write Dask's report of the run, as HTML.
    """

    def __init__(
        self,
        cluster: Any = None,
        address: str | None = None,
        cluster_class: "str | Callable[..., Any] | None" = None,
        cluster_kwargs: dict[str, Any] | None = None,
        adapt_kwargs: dict[str, Any] | None = None,
        client_kwargs: dict[str, Any] | None = None,
        performance_report_path: str | None = None,
        client: "Client | None" = None,
    ) -> None:
        existing = {"address": address, "cluster": cluster, "client": client}
        temporary = {
            "cluster_class": cluster_class,
            "cluster_kwargs": cluster_kwargs,
            "adapt_kwargs": adapt_kwargs,
        }
        _check_place(existing, temporary)
        _check_client(client, client_kwargs, cluster_kwargs)
        super().__init__(
            cluster=cluster,
            address=address,
            cluster_class=cluster_class,
            cluster_kwargs=cluster_kwargs,
            adapt_kwargs=adapt_kwargs,
            client_kwargs=client_kwargs,
            performance_report_path=performance_report_path,
            client=client,
        )
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client that calls go through. Raises ``RuntimeError`` where the runner is not started."""
        if self._client is None:
            raise RuntimeError(f"{self.name} is not started: submit tasks inside of a flow that uses it.")
        return self._client

    def open(self) -> None:
        """Start a cluster, or join one."""
        settings = self._settings
        self._open = ExitStack()
        with ExitStack() as stack:
            cluster = target = settings["client"] or settings["cluster"] or settings["address"]
            if target is None:
                cluster = target = stack.enter_context(
                    temporary_cluster(
                        cluster_class(settings["cluster_class"]),
                        settings["cluster_kwargs"] or {},
                        settings["adapt_kwargs"] or {},
                    )
                )
            elif isinstance(target, str):
                check_address(target)
                ENGINE.info("Connecting to an existing Dask cluster at %s", target)
            client: Any = stack.enter_context(
                connected(target, settings["client_kwargs"] or {}, settings["performance_report_path"])
            )
            client_stays = client is target
            if client_stays:
                cluster = client.cluster
            token = uuid4().hex[:8]
            deaths = stack.enter_context(watched(cluster))
            traffic = Traffic(client, token, _address(client), deaths)
            leave_retries_to_us(client, cluster, OneAttempt(token, traffic.topic, client.id))
            traffic.begin()
            stack.callback(client.sync, traffic.end, client_stays=client_stays)
            self._packer = Packer()
            self._traffic = traffic
            self._client = client
            self._open = stack.pop_all()

    def close(self) -> None:
        """Fetch the results that somebody still refers to, and leave the cluster."""
        with self._open:
            try:
                self._traffic.keep_results(KEEP_WITHIN)
            finally:
                self._client = None

    def send(self, attempt: Attempt, *, confirmed: bool) -> None:
        """Send the attempt to the scheduler. Raises ``NotSerializable`` where it cannot travel."""
        traffic = self._traffic

        def refer(future: "PrefectFuture[Any]") -> Sent | None:
            sent = traffic.sent_for(future)
            if sent is None and not future.settled:
                raise _NotOurs
            if sent is not None and confirmed and sent.is_dead:
                raise CrashedRun(f"The result of upstream task run '{future.task_run.name}' was lost.")
            return sent

        id = traffic.next_id(attempt)  # noqa: A001 - the word for it
        try:
            packed = self._packer.pack(attempt, id, refer)
        except CrashedRun as error:
            if confirmed:
                attempt.report(Lost(attempt.number, str(error)))
            return
        sent = Sent(id, attempt, packed, _annotations(attempt), confirmed=confirmed)
        traffic.send(sent, (packed.definition, packed.surroundings))

    def confirm(self, handle: Sent, otherwise: Callable[[], None]) -> None:
        """Let it count that the attempt was sent, or call ``otherwise``."""
        self._traffic.confirm(handle, otherwise)

    def stop(self, attempt: Attempt) -> None:
        """End the attempt: on its way, in the scheduler, or on its worker."""
        sent: Sent | None = attempt.handle
        if sent is not None:
            self._traffic.withdraw(sent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DaskTaskRunner) and self._portable() == other._portable()

    __hash__ = SendingTaskRunner.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._portable())

    def _portable(self) -> dict[str, Any]:
        """The settings as another process can use them: a cluster is known by its address there."""
        cluster, client = self._settings["cluster"], self._settings["client"]
        if client is not None:
            return {**self._settings, "client": None, "address": _address(client)}
        if cluster is not None:
            return {**self._settings, "cluster": None, "address": cluster.scheduler_address}
        return self._settings


def _rebuild(kind: type[DaskTaskRunner], settings: dict[str, Any]) -> DaskTaskRunner:
    return kind(**settings)


class _NotOurs(Exception):
    """An upstream run that is under way somewhere else."""


def _address(client: Any) -> str:
    """Of the scheduler. Raises ``RuntimeError`` for a client that is closed."""
    if client.status == "closed":
        raise RuntimeError("the Dask client that it was given is closed.")
    return client.scheduler.address


def _check_place(existing: dict[str, Any], temporary: dict[str, Any]) -> None:
    """Raise ``ValueError`` for arguments that name more than one place to run tasks at."""
    there = [name for name, value in existing.items() if value is not None]
    given = [name for name, value in temporary.items() if value]
    if len(there) > 1 or (there and given):
        raise ValueError(
            f"DaskTaskRunner cannot use {' and '.join(there + given)} together: {there[0]} names a "
            "cluster that is there, and the others describe another one, or one that is to be started."
        )


def _check_client(client: Any, client_kwargs: Any, cluster_kwargs: Any) -> None:
    """Raise ``ValueError`` for a client that the task runner could not use."""
    if client is not None and client_kwargs:
        raise ValueError("DaskTaskRunner cannot use client_kwargs for a client that is there.")
    if client is not None and client.asynchronous:
        raise ValueError("DaskTaskRunner cannot use a client with asynchronous=True.")
    for name, kwargs in {"cluster_kwargs": cluster_kwargs, "client_kwargs": client_kwargs}.items():
        if kwargs and "asynchronous" in kwargs:
            raise ValueError(f"{name} must not hold 'asynchronous': the task runner sees to that itself.")


def _annotations(attempt: Attempt) -> dict[str, Any]:
    given = attempt.context.run(get_annotations)
    if not given:
        return {}
    if "retries" in given:
        warnings.warn(
            "dask.annotate(retries=...) has no effect on tasks: Dask would run them again behind the flow's "
            f"back. Use @task(retries={given['retries']!r}).",
            UserWarning,
            stacklevel=2,
        )
    return {name: given[name] for name in _ANNOTATIONS if name in given}
