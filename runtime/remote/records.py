"""Log records and prints of attempts: caught on the worker, given out in the driver, in their order."""

import logging
import pickle
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from runtime.envelope import Attempt
from runtime.logging import prints_logged, prints_to

#: Takes what one attempt logs or prints, as bytes.
Take = Callable[[bytes], None]

_PLAIN = (str, int, float, bool, type(None))
_ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


@contextmanager
def records_sent(take: Take, level: int) -> Generator[None]:
    """Send what is logged and printed in the block, by this context alone, to ``take``.

    ``level`` is the lowest that the driver wants of what runs log.
    """
    _install(level)
    token = _sender.set((take, level))
    try:
        with prints_logged(), prints_to(lambda text: take(pickle.dumps(text, protocol=5))):
            yield
    finally:
        _sender.reset(token)


def give_out(body: bytes, attempt: Attempt) -> None:
    """In the driver: log or print what an attempt sent."""
    sent = pickle.loads(body)  # noqa: S301 - written by our own worker
    if isinstance(sent, str):
        sys.stdout.write(sent)
        return
    logger = logging.getLogger(sent["name"])
    if logger.isEnabledFor(sent["levelno"]):
        run = attempt.task_run
        names = {"task_run_name": run.name, "task_run_id": str(run.id)}
        logger.handle(logging.makeLogRecord({**names, **sent}))


class _Relay(logging.Handler):
    """Sends on what runs log in this process, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        sender = _sender.get()
        if sender is None:
            if len(logging.getLogger().handlers) == 1 and logging.lastResort is not None:
                logging.lastResort.handle(record)  # what Python would do if this handler were not here
            return
        take, level = sender
        if record.levelno >= level:
            try:
                take(pickle.dumps(_plain(record), protocol=5))
            except Exception:  # a record of the user's own kind
                self.handleError(record)


def _plain(record: logging.LogRecord) -> dict[str, Any]:
    """A record that any process can read: the message is made here, where its arguments are."""
    fields = {
        name: value
        for name, value in record.__dict__.items()
        if isinstance(value, _PLAIN) or name in {"msg", "args"}
    }
    fields |= {"msg": record.getMessage(), "args": None}
    if record.exc_info:
        fields["exc_text"] = record.exc_text or logging.Formatter().formatException(record.exc_info)
    for name in fields.keys() - _ORDINARY:
        if not isinstance(fields[name], _PLAIN):
            del fields[name]
    return fields


def _install(level: int) -> None:
    flows = logging.getLogger("flows")
    if _relay in logging.getLogger().handlers and flows.level <= level:
        return
    with _installing:
        if _relay not in logging.getLogger().handlers:
            logging.getLogger().addHandler(_relay)
        if flows.level == logging.NOTSET or flows.level > level:
            flows.setLevel(level)


_relay = _Relay()
_installing = Lock()
_sender: ContextVar[tuple[Take, int] | None] = ContextVar("flows_sender", default=None)
