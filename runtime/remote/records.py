"""Logs, prints and warnings of attempts: caught on the worker, given out in the driver, in their order."""

import logging
import pickle
import sys
import warnings
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple, TextIO, cast

from runtime.envelope import Attempt
from runtime.hooks import plugins
from runtime.logging import OUTLET
from runtime.remote.values import pack_exception, unpack_exception

#: Takes what one attempt logs or prints, as bytes.
Take = Callable[[bytes], None]

_PLAIN = (str, int, float, bool, type(None))
_ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class _Records:
    """Sends on what one attempt logs, prints and warns of; an outlet of its context.

    ``level`` is the lowest that the driver wants of what runs log.
    """

    __slots__ = ("_take", "level")

    def __init__(self, take: Take, level: int) -> None:
        self._take = take
        self.level = level

    def print(self, text: str) -> None:
        """Send what a run prints."""
        self._take(pickle.dumps(text, protocol=5))

    def remark(self, text: str) -> None:
        """Send text that only plugins are to hear."""
        self._take(pickle.dumps(_Remark(text), protocol=5))

    def log(self, record: logging.LogRecord) -> None:
        """Send what a run logs."""
        self._take(pickle.dumps(_plain(record), protocol=5))

    def warn(self, warning: Warning, filename: str, line: int) -> None:
        """Send a warning."""
        self._take(pickle.dumps(_Warned(pack_exception(warning), filename, line), protocol=5))


def send_records(take: Take, level: int) -> None:
    """From now on, send what is logged, printed and warned of in this context, and no other, to ``take``.

    ``level`` is the lowest that the driver wants of what runs log.
    """
    _install(level)
    OUTLET.set(_Records(take, level))


def give_out(body: bytes, attempt: Attempt, worker: str) -> None:
    """In the driver: log, print or warn as an attempt did."""
    sent = pickle.loads(body)  # noqa: S301 - written by our own worker
    run = attempt.task_run
    if isinstance(sent, str):
        text = sent
        sys.stdout.write(sent)
    elif isinstance(sent, _Warned):
        warning = cast("Warning", unpack_exception(sent.warning))
        text = warnings.formatwarning(warning, type(warning), sent.filename, sent.line)
        warnings.showwarning(warning, type(warning), sent.filename, sent.line)
    elif isinstance(sent, _Remark):
        text = sent.text
    else:
        text = f"{sent['levelname']} {sent['name']}: {sent['msg']}\n"
        logger = logging.getLogger(sent["name"])
        if logger.isEnabledFor(sent["levelno"]):
            names = {"task_run_name": run.name, "task_run_id": str(run.id)}
            if run.flow_run_id is not None:
                names["flow_run_id"] = str(run.flow_run_id)
            logger.handle(logging.makeLogRecord({**names, **sent}))
    plugins().hook.flows_worker_output(run=run, worker=worker, text=text)


class _Warned(NamedTuple):
    """A warning on its way."""

    warning: bytes
    filename: str
    line: int


class _Remark(NamedTuple):
    """What only plugins are to hear."""

    text: str


class _Relay(logging.Handler):
    """Sends on what runs log in this process, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        outlet = OUTLET.get()
        if not isinstance(outlet, _Records):
            if len(_root.handlers) == 1 and logging.lastResort is not None:
                logging.lastResort.handle(record)  # what Python would do if this handler were not here
            return
        if record.levelno >= outlet.level:
            try:
                outlet.log(record)
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


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What ``warnings`` calls in a worker's process to show a warning."""
    outlet = OUTLET.get()
    if not isinstance(outlet, _Records) or file is not None:
        _warn_here(message, category, filename, lineno, file, line)
        return
    warning = message if isinstance(message, Warning) else category(message)
    outlet.warn(warning, filename, lineno)


def _install(level: int) -> None:
    # Not once and for all: a block that catches warnings, and began before, puts back what it found.
    if warnings.showwarning is _warn_here:
        warnings.showwarning = _warn
    if _relay in _root.handlers and _flows.level <= level:
        return
    with _installing:
        if _relay not in _root.handlers:
            _root.addHandler(_relay)
        if _flows.level == logging.NOTSET or _flows.level > level:
            _flows.setLevel(level)


_root = logging.getLogger()
_flows = logging.getLogger("flows")
_relay = _Relay()
_warn_here = warnings.showwarning
_installing = Lock()
