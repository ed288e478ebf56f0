"""Between the driver of a flow run and its Dask cluster: calls go out in batches, reports come in.

All that changes here does so on the loop of the Dask client; other threads only put things into a queue.

Calls that go ahead
-------------------
A run whose upstream runs are still under way is sent along with them, so that the scheduler can start
it the moment they are done, wherever that is best; waiting for the driver would cost a round trip for
each link of a chain. Such a call counts only when the engine asks for the attempt and all that it
refers to turned out as foreseen; until then what it reports is kept back. Otherwise it is withdrawn,
and sent again with what is right by then.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import Context
from itertools import groupby
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, cast
from weakref import WeakSet

from dask import config
from dask._task_spec import Alias

from runtime.envelope import Attempt
from runtime.exceptions import CrashedRun, WouldDeadlock
from runtime.futures import PrefectFuture
from runtime.lifecycle import Lost, Refused, describe
from runtime.logging import ENGINE
from runtime.remote import Message, Parcel, RemoteResult, hear
from runtime.remote.messages import STARTED
from runtime.runs import TaskRun
from runtime.task_runners.dask.deaths import Deaths
from runtime.task_runners.dask.scheduler import LAST_WORDS_WITHIN, NOTHING_MORE
from runtime.task_runners.dask.sent import Sent
from runtime.task_runners.dask.watching import LOOK_INTERVAL, Watch
from runtime.task_runners.dask.worker import run_attempt, stop_attempt

#: Seconds in which the scheduler has to take a task's code.
LEAVE_WITHIN = 60.0
#: Seconds for those who are told to stop, before the flow run leaves the cluster.
END_WITHIN = 5.0
#: Bytes of calls that go into one graph.
BATCH_BYTES = 4_000_000


class DaskResult(RemoteResult):
    """A result on a Dask worker, kept there for as long as this exists."""

    __slots__ = ("sent", "traffic")

    def __init__(self, traffic: "Traffic", sent: Sent, inline: bytes) -> None:
        super().__init__(inline)
        self.traffic = traffic
        self.sent = sent

    def fetch_from_worker(self) -> Any:
        """The result, by way of the scheduler. Raises ``CrashedRun`` where it is lost."""
        return self.traffic.fetch(self.sent)


class Traffic:
    """The attempts of one flow run on a cluster."""

    def __init__(self, client: Any, token: str, address: str, deaths: Deaths) -> None:
        self.client = client
        self.token = token
        self.topic = f"flows-{token}"
        self._watch = Watch(self, client, address, deaths)
        self._loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop
        # nothing of the submitter's context may be seen here, such as its annotations
        self._context = Context()
        self._lock = Lock()
        self._queue: deque[Sent] = deque()
        self._flush_planned = False
        self._attempts: dict[str, Sent] = {}
        self._latest: dict[TaskRun, Sent] = {}
        #: keys of those that are with the scheduler, or on their way there
        self._parcels: set[str] = set()
        #: how many are on their way
        self._leaving = 0
        self._results: WeakSet[DaskResult] = WeakSet()
        self._chores: set[asyncio.Future[Any]] = set()
        self._number = 0

    def begin(self) -> None:
        """Listen to workers, and look after what is under way."""
        self.client.subscribe_topic(self.topic, self._heard)
        self._on_loop(self._watch.begin)

    def next_id(self, attempt: Attempt) -> str:
        """A name that no other attempt has, on a cluster that serves many drivers."""
        with self._lock:
            self._number += 1
            return f"{attempt.task_run.name}-{self.token}-{self._number}"

    def send(self, sent: Sent, parcels: tuple[Parcel, Parcel]) -> None:
        """Send a call on its way."""
        attempt = sent.attempt
        if attempt is not None:
            attempt.handle = sent
        with self._lock:
            for parcel in parcels:
                if parcel.key not in self._parcels:
                    self._parcels.add(parcel.key)
                    self._leaving += 1
                    self._on_loop(self._start, self._leave, parcel)
            self._attempts[sent.id] = sent
            self._latest[sent.task_run] = sent
            self._queue.append(sent)
            if self._flush_planned:
                return
            self._flush_planned = True
        self._on_loop(self._flush)

    def confirm(self, sent: Sent, otherwise: Callable[[], None]) -> None:
        """The engine asks for an attempt that went ahead: it counts, or ``otherwise`` is called."""
        self._on_loop(self._confirm, sent, otherwise)

    def withdraw(self, sent: Sent) -> None:
        """End an attempt, wherever it is. What it still reports, if it runs, is heard."""
        self._on_loop(self._start, self._withdraw, sent)

    def sent_for(self, future: "PrefectFuture[Any]") -> Sent | None:
        """The attempt that makes, or made, the result of an upstream run; None where it is not ours."""
        if not future.settled:
            return self._latest.get(future.task_run)
        data = future.get_state().data
        if isinstance(data, DaskResult) and data.traffic is self and data.sent.future is not None:
            return None if data.is_here and data.sent.is_dead else data.sent
        return None

    def fetch(self, sent: Sent) -> Any:
        """The value of an attempt that ended well. Blocks; raises ``CrashedRun`` where it is lost."""
        future = sent.future
        if asyncio._get_running_loop() is self._loop:
            raise WouldDeadlock(
                f"The result of task run '{sent.task_run.name}' lies on a worker. It cannot be fetched on "
                "this thread, which would receive it: callbacks and functions on states must leave that to "
                "others."
            )
        if future is None or self._loop.is_closed():
            raise CrashedRun(f"The result of task run '{sent.task_run.name}' went with its cluster.")
        got = asyncio.run_coroutine_threadsafe(self._gather([future]), self._loop)
        if not self._comes(got):
            raise _lost_result(sent, self._watch.gone or "The cluster is closed.")
        try:
            return got.result()[0]
        except Exception as error:  # a value that cannot be read here may raise anything, too
            if sent.is_dead:
                raise _lost_result(sent, describe(error)) from error
            raise

    def keep_results(self, within: float) -> None:
        """Fetch what anybody still refers to: the cluster is about to go."""
        wanted = [result for result in self._results if not result.is_here]
        if wanted and self._watch.gone is None:
            futures = [result.sent.future for result in wanted]
            got = asyncio.run_coroutine_threadsafe(self._gather(futures, errors="skip"), self._loop)
            if self._comes(got, within):
                for result, value in zip(wanted, got.result(), strict=True):
                    if value is not _MISSING:
                        result.keep(value)

    def _comes(self, got: "Future[list[Any]]", within: float = inf) -> bool:
        """Wait for what the loop finds. False where the scheduler is gone, or that takes too long."""
        until = monotonic() + within
        while not wait([got], LOOK_INTERVAL).done:
            if self._watch.gone is not None or self.client.status == "closed" or monotonic() > until:
                got.cancel()
                return False
        return True

    async def end(self, *, client_stays: bool) -> None:
        """Leave the scheduler as it was, and a client with which others go on; called on the loop."""
        self._watch.end()
        if self._watch.gone is None:
            with suppress(Exception):  # what cannot be put in order now goes with the cluster
                async with asyncio.timeout(END_WITHIN):
                    # those who are told to stop still hold slots that others want
                    await asyncio.gather(*self._chores, return_exceptions=True)
                    await self.client.scheduler.set_metadata(keys=[self.topic], value=None)
                    if client_stays:
                        await self.client.scheduler.log_event(topic=self.topic, msg=NOTHING_MORE)
        for chore in list(self._chores):
            chore.cancel()
        with suppress(ValueError):
            self.client.unsubscribe_topic(self.topic)
        if client_stays:
            self._leave_client()

    def _leave_client(self) -> None:
        """Take from the client what goes by itself with one that is closed."""
        for sent in [*self._attempts.values(), *(result.sent for result in self._results)]:
            sent.future = None
        # Dask itself forgets no handler, and stumbles over an event that has none
        handlers: dict[str, Callable[..., None]] = self.client._event_handlers
        handlers[self.topic] = _too_late
        self._loop.call_later(LAST_WORDS_WITHIN, handlers.pop, self.topic, None)

    # What becomes of attempts; called on the loop

    def under_way(self) -> list[Sent]:
        """The attempts that have not ended, the oldest first."""
        return list(self._attempts.values())

    def lost(self, sent: Sent, why: str) -> None:
        """Nothing will come of the attempt any more."""
        attempt = sent.attempt
        self._ended(sent)
        if attempt is not None and sent.confirmed:
            attempt.report(Lost(attempt.number, why))

    def refused(self, sent: Sent, error: BaseException) -> None:
        """The cluster could not make the attempt."""
        attempt = sent.attempt
        self._ended(sent)
        if attempt is not None and sent.confirmed:
            message = f"Dask could not run the task: {describe(error)}"
            attempt.report(Refused(attempt.number, message, error))

    def send_again(self, sent: Sent) -> None:
        """The cluster has dropped the attempt before it began."""
        sent.sent_again = True
        sent.key = f"{sent.id}-again"
        sent.future = None
        with self._lock:
            self._queue.append(sent)
        self._flush()

    # On the loop

    def _on_loop(self, do: Callable[..., object], *args: Any) -> None:
        if asyncio._get_running_loop() is self._loop:  # most often it is, and waking it costs a system call
            self._loop.call_soon(do, *args, context=self._context)
        else:
            self._loop.call_soon_threadsafe(do, *args, context=self._context)

    def _start(self, do: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        chore = asyncio.ensure_future(do(*args))
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def _leave(self, parcel: Parcel) -> None:
        """Leave a parcel with the scheduler. Calls are held back meanwhile: no worker has to wait for it."""
        unsent: deque[Sent] = deque()
        problem: Exception | None = None
        try:
            async with asyncio.timeout(LEAVE_WITHIN):
                await self.client.scheduler.set_metadata(keys=[self.topic, parcel.key], value=parcel.body)
        except Exception as error:  # whatever a scheduler, or the way there, may raise
            problem = error
        with self._lock:
            self._leaving -= 1
            if problem is not None:
                self._parcels.discard(parcel.key)
                unsent, self._queue = self._queue, unsent
        for sent in unsent:
            self.refused(sent, cast("Exception", problem))
        self._flush()

    def _flush(self) -> None:
        """Send what has gathered, in order, as few graphs."""
        with self._lock:
            self._flush_planned = False
            if self._leaving:
                return
            queue, self._queue = self._queue, deque()
        for annotations, group in groupby(queue, key=lambda sent: sent.annotations):
            batch: list[Sent] = []
            size = 0
            for sent in group:
                batch.append(sent)
                size += len(sent.call)
                if size > BATCH_BYTES:
                    self._send_batch(batch, annotations)
                    batch, size = [], 0
            if batch:
                self._send_batch(batch, annotations)

    def _send_batch(self, batch: list[Sent], annotations: dict[str, Any]) -> None:
        batch = [sent for sent in batch if sent.id in self._attempts]
        if self._watch.gone is not None or not batch:
            for sent in batch:
                self.lost(sent, self._watch.gone or "")
            return
        try:
            with config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
                futures = self.client.map(
                    run_attempt,
                    [sent.id for sent in batch],
                    [sent.call for sent in batch],
                    [[Alias(upstream.key) for upstream in sent.upstream] for sent in batch],
                    key=[sent.key for sent in batch],
                    topic=self.topic,
                    pure=False,
                    **annotations,
                )
        except Exception as error:  # Dask may raise anything, such as for a worker that it does not know
            for sent in batch:
                self.refused(sent, error)
            return
        for sent, future in zip(batch, futures, strict=True):
            sent.future = future

    def _heard(self, event: tuple[float, list[tuple[str, str, str, bytes]]]) -> None:
        for name, kind, worker, body in event[1]:
            sent = self._attempts.get(name)
            if sent is not None:
                self._hear(sent, Message(kind, worker, body))

    def _hear(self, sent: Sent, message: Message) -> None:
        if not sent.confirmed:
            sent.kept_back.append(message)
            sent.has_value = message.has_value
            return
        attempt = sent.attempt
        if attempt is None:
            return
        if sent.worker is None:
            sent.worker = message.worker
        elif sent.worker != message.worker and message.kind == STARTED:
            self._second_start(sent, message.worker)
            return
        if message.is_last:
            sent.has_value = message.has_value
            self._ended(sent)
        try:
            hear(attempt, message, lambda inline: self._result(sent, inline))
        except Exception as error:  # a bug, which must not make a run hang
            ENGINE.exception("A report of task run '%s' could not be heard", sent.task_run.name)
            attempt.report(Lost(attempt.number, f"Its report could not be heard: {describe(error)}"))

    def _result(self, sent: Sent, inline: bytes) -> DaskResult:
        result = DaskResult(self, sent, inline)
        self._results.add(result)
        return result

    def _ended(self, sent: Sent) -> None:
        """Nothing more is to be heard of an attempt."""
        self._attempts.pop(sent.id, None)
        if self._latest.get(sent.task_run) is sent:
            del self._latest[sent.task_run]
        sent.attempt = None
        sent.upstream = []
        sent.call = b""
        if not sent.has_value:
            sent.future = None

    def _confirm(self, sent: Sent, otherwise: Callable[[], None]) -> None:
        if sent.attempt is None or sent.is_dead or not all(upstream.has_value for upstream in sent.upstream):
            self._start(self._withdraw, sent)
            otherwise()
            return
        sent.confirmed = True
        messages, sent.kept_back = sent.kept_back, []
        for message in messages:
            self._hear(sent, message)

    async def _withdraw(self, sent: Sent) -> None:
        attempt = sent.attempt
        if attempt is None:
            return
        workers = [sent.worker] if sent.worker is not None else None
        if workers is None or not sent.confirmed:  # it may have begun all the same
            future = sent.future
            self._ended(sent)
            if future is not None:
                await self.client.cancel([future])
        # a worker that is gone cannot be told, and need not be
        await self.client.run(stop_attempt, sent.id, self.topic, workers=workers, on_error="ignore")

    def _second_start(self, sent: Sent, worker: str) -> None:
        message = (
            f"Dask started the task a second time, on {worker}: the worker {sent.worker}, which had started "
            "it, is gone. It is stopped there, since a task runs again only where it has retries."
        )
        ENGINE.warning("Task run '%s': %s", sent.task_run.name, message)
        sent.worker = worker
        self.lost(sent, message)
        self._start(self._stop, sent.id, worker)

    async def _stop(self, id: str, worker: str) -> None:  # noqa: A002 - the word for it
        await self.client.run(stop_attempt, id, self.topic, workers=[worker], on_error="ignore")

    async def _gather(self, futures: list[Any], errors: str = "raise") -> list[Any]:
        if errors == "raise":
            return await self.client.gather(futures, asynchronous=True)
        values: list[Any] = []
        for future in futures:
            try:
                values.append(await self.client.gather(future, asynchronous=True))
            except Exception:  # it is lost, and whoever asks for it will be told
                values.append(_MISSING)
        return values


def _lost_result(sent: Sent, why: str) -> CrashedRun:
    return CrashedRun(f"The result of task run '{sent.task_run.name}' was lost. {why}")


def _too_late(event: Any) -> None:
    """Nobody hears any more what a worker says."""


_MISSING = object()
