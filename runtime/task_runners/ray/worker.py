"""What is done on Ray's workers: make an attempt, and let the driver hear of it while it runs.

Why a mailbox, and why so late
------------------------------
Ray carries what a task returns, when it has returned. What is to be heard earlier goes through an actor,
which costs as much as a task does. So nothing is sent until an attempt is ``_PATIENCE`` seconds old:
most have ended by then, and their messages travel with their result.
"""

import asyncio
import os
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

from runtime.remote import Message, Parcel, run
from runtime.remote.messages import STARTED
from runtime.remote.values import Unusable
from runtime.task_runners.ray.native import ray

#: What a worker returns beside the value: messages sent live before, and those that were not.
Report = tuple[int, list[tuple[str | bytes, ...]]]
#: What a worker returns for those downstream: a small value as bytes, a large one alone in a tuple, or an
#: empty tuple where there is none.
Brought = bytes | tuple[Any, ...]

_PATIENCE = 0.01
_PAUSE = 0.02
_IDLE = 1.0


def remote_function(definition: Parcel, name: str, *, shown: bool) -> Any:
    """The Ray function that makes attempts of one task. Ray sends it to each worker once.

    ``shown``: whether Ray is to keep a record of each call, for its dashboard; that is a tenth of what
    a call costs.
    """
    key, body = definition

    def attempt(call: bytes, *brought: Brought) -> tuple[Brought, bytes]:
        return make(key, body, call, brought)

    attempt.__name__ = attempt.__qualname__ = name
    # Ray's own retries are off: flows see to that, and an attempt runs once.
    return ray.remote(num_returns=2, max_retries=0, retry_exceptions=False, enable_task_events=shown)(attempt)


def pack_call(
    id: str,  # noqa: A002 - the word for it
    mailbox: str,
    surroundings: Parcel,
    call: bytes,
    upstream: list[bytes | None],
    *,
    told_at_once: bool,
) -> bytes:
    """What :func:`make` needs. ``upstream`` has values as bytes, and None for one that Ray brings."""
    return pickle.dumps((id, mailbox, tuple(surroundings), call, upstream, told_at_once), protocol=5)


def make(key: str, definition: bytes, packed: bytes, brought: tuple[Brought, ...]) -> tuple[Brought, bytes]:
    """Make an attempt; returns its value, and a :data:`Report` as bytes."""
    id_, mailbox, around, call, upstream, told_at_once = pickle.loads(packed)  # noqa: S301 - written by the driver
    values = _values(upstream, iter(brought)) if upstream else ()
    parcels = {key: definition, around[0]: around[1]}
    with _Line(id_, mailbox, told_at_once=told_at_once) as line:
        last, value = run(call, values, parcels.__getitem__, _this_worker(), line.tell)
    sent, messages = line.rest()
    if messages and messages[0][0] == STARTED:
        del messages[0]  # the last one says so too
    messages.append(tuple(last))
    left = (last.body or (value,)) if last.has_value else ()
    return left, pickle.dumps((sent, messages), protocol=5)


def _values(upstream: list[bytes | None], brought: Iterator[Brought]) -> tuple[Any, ...]:
    return tuple([_value(next(brought) if sent is None else sent) for sent in upstream])


def _value(brought: Brought) -> Any:
    if isinstance(brought, bytes):
        return pickle.loads(brought)  # noqa: S301 - written by our own worker
    return brought[0] if brought else Unusable()


@ray.remote(num_cpus=0, max_restarts=-1)
class Mailbox:
    """Takes messages from workers, and gives them to the driver as soon as there are any."""

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._arrived = asyncio.Event()

    async def put(self, messages: list[Any]) -> None:
        """Take messages: pairs of an attempt's id and a message."""
        self._messages.extend(messages)
        self._arrived.set()

    async def take(self) -> list[Any]:
        """All messages that have come since the last call; waits until there is one."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, self._messages = self._messages, []
        return taken


class _Line:
    """From one attempt to the driver."""

    def __init__(self, id: str, mailbox: str, *, told_at_once: bool) -> None:  # noqa: A002 - the word for it
        self.begun = time.monotonic()
        self._id = id
        self._mailbox = mailbox
        self._told_at_once = told_at_once
        #: held while messages are on their way, so that they keep their order
        self._sending = threading.Lock()
        self._waiting: list[tuple[str | bytes, ...]] = []
        self._sent = 0

    def tell(self, message: Message) -> None:
        """Let the driver hear this, soon."""
        self._waiting.append(tuple(message))
        if self._told_at_once:
            # A timeout is counted from now on, and the task may never let another thread have its turn.
            self._told_at_once = False
            with suppress(Exception):  # the mailbox is gone; the report tells all
                self.send()

    def send(self) -> None:
        """Send what is waiting."""
        with self._sending:
            count = len(self._waiting)
            if count:
                put = _mailbox(self._mailbox).put
                put.remote([(self._id, message) for message in self._waiting[:count]])
                del self._waiting[:count]
                self._sent += count

    def rest(self) -> Report:
        """How many messages were sent, and those that were not."""
        with self._sending:
            return self._sent, self._waiting

    def __enter__(self) -> Self:
        _sender.add(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _sender.remove(self)


class _Sender:
    """Sends what attempts that run for longer have to say. One thread, which looks every now and then."""

    def __init__(self) -> None:
        self._lines: set[_Line] = set()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, line: _Line) -> None:
        self._lines.add(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="flows-sender", daemon=True)
            self._thread.start()
        if not self._busy.is_set():
            self._busy.set()

    def remove(self, line: _Line) -> None:
        self._lines.discard(line)

    def _serve(self) -> None:
        idle_since = time.monotonic()
        while True:
            self._busy.wait()
            time.sleep(_PAUSE)
            now = time.monotonic()
            for line in list(self._lines):
                idle_since = now
                if now - line.begun >= _PATIENCE:
                    try:
                        line.send()
                    except Exception:  # noqa: S112 - there is no mailbox, yet; the report tells all
                        continue
            if now - idle_since > _IDLE:
                self._busy.clear()
                if self._lines:
                    self._busy.set()


def _mailbox(name: str) -> Any:
    found = _mailboxes.get(name)
    if found is None:
        if len(_mailboxes) > 100:
            _mailboxes.clear()
        found = _mailboxes[name] = ray.get_actor(name)
    return found


def _this_worker() -> str:
    global _worker
    if _worker[0] != os.getpid():
        _worker = (os.getpid(), f"{ray.util.get_node_ip_address()}, process {os.getpid()}")
    return _worker[1]


_sender = _Sender()
_mailboxes: dict[str, Any] = {}
_worker: tuple[int, str] = (0, "")
