"""What is done on Dask's workers: make attempts, and tell the driver of them through the scheduler."""

import asyncio
import logging
import threading
from functools import partial
from time import monotonic
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from distributed import Worker, get_worker
from distributed.threadpoolexecutor import thread_state, threads_lock
from distributed.worker_state_machine import SecedeEvent

from runtime.remote import Message, run, stop
from runtime.remote.messages import NOT_LAST, STARTED, STOPPED

_LOG = logging.getLogger("flows.worker")

#: Said of a task that is to be executing, without a thread that does it.
STRANDED = "stranded"
#: Seconds before a message leaves, along with those that follow. Dask sends what comes first at once and
#: holds back the rest for as long: sent at once, a report would hold back the end of the task itself.
EVENT_DELAY = 0.002
#: Seconds between two events of one worker.
EVENT_INTERVAL = 0.01
#: Messages that go into one event, about.
MESSAGES_AT_ONCE = 500
#: Seconds until a stopped attempt is left behind, where it sits in a call that nothing interrupts.
STOP_WITHIN = 0.5
#: Seconds in which the scheduler has to answer where it is asked for a task's code.
CODE_WITHIN = 60


def run_attempt(id: str, call: bytes, upstream: list[Any], topic: str) -> Any:  # noqa: A002 - the word for it
    """Make the attempt. This is what Dask runs, and the only thing of ours that it knows."""
    worker = get_worker()
    channel = _channel(worker, topic)
    key = worker.get_current_task()
    _places[id] = _Place(key, threading.current_thread(), thread_state.__dict__, monotonic())
    try:
        last, value = run(call, upstream, channel.fetch, worker.address, partial(channel.tell, id))
    finally:
        abandoned = _places.pop(id, None) is None
    if not abandoned:
        channel.tell(id, last)
    return value


async def stop_attempt(id: str, topic: str, dask_worker: Worker) -> None:  # noqa: A002 - the word for it
    """Stop an attempt on this worker, wherever it is. Called on the worker's loop.

    A thread that sits in a call which cannot be interrupted is left behind, and its slot given to others.
    """
    if not stop(id):
        return
    until = monotonic() + STOP_WITHIN
    while id in _places:
        if monotonic() > until:
            _leave_behind(dask_worker, id, topic)
            return
        await asyncio.sleep(0.01)


async def states(keys: list[str], dask_worker: Worker) -> dict[str, str]:
    """What this worker is at with those of the tasks that it has, in Dask's words, and :data:`STRANDED`."""
    known = dask_worker.state.tasks
    found = {key: known[key].state for key in keys if key in known}
    running = set(dask_worker.active_threads.values())
    return {
        key: STRANDED if state == "executing" and key not in running else state
        for key, state in found.items()
    }


class Channel:
    """From one worker to the driver of one flow run, in order. Called from any thread."""

    def __init__(self, worker: Any, topic: str) -> None:
        self._worker = worker
        self._topic = topic
        self._lock = threading.Lock()
        self._messages: list[tuple[str, str, str, bytes]] = []
        #: whether it is seen to that the messages are sent
        self._planned = False
        self._sent = 0.0

    def tell(self, id: str, message: Message) -> None:  # noqa: A002 - the word for it
        """Send a message, soon."""
        with self._lock:
            self._messages.append((id, message.kind, message.worker, message.body))
            if self._planned and len(self._messages) % MESSAGES_AT_ONCE:
                return
            self._planned = True
        self._worker.loop.add_callback(self._plan)

    def fetch(self, key: str) -> bytes:
        """The body of a parcel, which the driver left with the scheduler."""
        found = asyncio.run_coroutine_threadsafe(self._ask(key), self._worker.loop.asyncio_loop)
        return found.result(CODE_WITHIN)

    async def _ask(self, key: str) -> bytes:
        scheduler: Any = self._worker.scheduler
        body = await scheduler.get_metadata(keys=[self._topic, key], default=None)
        if body is None:
            raise LookupError("the flow run that it belongs to has left the cluster")
        return body

    def _plan(self) -> None:
        if len(self._messages) < MESSAGES_AT_ONCE:
            delay = max(EVENT_DELAY, self._sent + EVENT_INTERVAL - monotonic())
            self._worker.loop.call_later(delay, self._send)
        else:
            self._send()

    def _send(self) -> None:
        with self._lock:
            messages, self._messages = self._messages, []
            self._planned = False
        if messages:
            self._sent = monotonic()
            ended = {each[0] for each in messages if each[1] not in NOT_LAST}
            # the end of an attempt repeats that it started
            told = [each for each in messages if each[1] != STARTED or each[0] not in ended]
            self._worker.log_event(self._topic, told)


class _Place(NamedTuple):
    """Where an attempt is made."""

    #: Dask's name for it
    key: Any
    thread: threading.Thread
    #: the thread's own variables in Dask's pool
    pool: dict[str, Any]
    since: float


def _leave_behind(worker: Worker, id: str, topic: str) -> None:  # noqa: A002 - the word for it
    """Do for a thread that hangs what ``distributed.secede`` does for the thread that calls it."""
    place = _places.pop(id, None)
    if place is None:
        return
    _LOG.warning(
        "A thread is left behind: %s was stopped, but sits in a call that cannot be interrupted.", id
    )
    place.pool["proceed"] = False
    executor = place.pool["executor"]
    with threads_lock:
        executor._threads.discard(place.thread)
        executor._adjust_thread_count()
    duration = monotonic() - place.since
    worker.handle_stimulus(
        SecedeEvent(key=place.key, compute_duration=duration, stimulus_id=f"flows-left-behind-{monotonic()}")
    )
    _channel(worker, topic).tell(id, Message(STOPPED, worker.address))


def _channel(worker: Worker, topic: str) -> Channel:
    channels = _channels.get(worker)
    if channels is None:
        channels = _channels.setdefault(worker, WeakValueDictionary())
    channel = channels.get(topic)
    if channel is None:
        channel = channels.setdefault(topic, Channel(worker, topic))
    return channel


#: Held by the attempts that use a channel, and by what it has to send: a worker may serve for weeks.
_channels: WeakKeyDictionary[Worker, WeakValueDictionary[str, Channel]] = WeakKeyDictionary()
_places: dict[str, _Place] = {}
