"""The log of runs: the lines that users see, the logger they write to, and prints that go there."""

import builtins
import logging
import sys
import threading
from collections.abc import Generator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from runtime.context import FLOW_RUN, TASK_RUN, get_run_context
from runtime.log_formats import formatter
from runtime.settings import current_settings


class _Logger(logging.Logger):
    """A logger whose handlers may raise: that is shown on standard error, and changes no run.

    Whoever keeps the log gets it whole, also what the user's own configuration does not want to see.
    """

    def getEffectiveLevel(self) -> int:  # noqa: N802 - the name it has there
        """The lowest level that anybody wants."""
        return min([super().getEffectiveLevel(), *_kept_by.values()])

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name it has there
        """Whether anybody wants it: ``logging.config`` disables all loggers that it does not name."""
        return super().isEnabledFor(level) or bool(
            self.disabled and _kept_by and level >= min(_kept_by.values())
        )

    def handle(self, record: logging.LogRecord) -> None:
        try:
            for handler in tuple(_kept_by):
                handler.handle(record)
            if not _kept_by or record.levelno >= super().getEffectiveLevel():
                super().handle(record)
        except Exception:  # handlers may raise anything
            _complaints.handleError(record)


def _logger(name: str) -> logging.Logger:
    usual = logging.getLoggerClass()
    logging.setLoggerClass(_Logger)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(usual)


_complaints = logging.Handler()
#: who keeps the log, and from which level on
_kept_by: dict[logging.Handler, int] = {}
#: lines about flow runs, and what flows log
FLOW_RUNS = _logger("flows.flow_runs")
#: lines about task runs, and what tasks log
TASK_RUNS = _logger("flows.task_runs")
#: what plugins, hooks and task runners have to say
ENGINE = _logger("flows.engine")


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records say which run they come from."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the run to what the caller's ``extra`` says."""
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs


def get_run_logger() -> RunLogger:
    """The logger of the task run, or else the flow run, that this is called in.

    Its records carry ``flow_run_name`` and, in a task, ``task_run_name``. Raises ``MissingContext``
    outside of both.
    """
    get_run_context()
    flow, task = FLOW_RUN.get(), TASK_RUN.get()
    extra: dict[str, object] = {}
    if flow is not None:
        extra |= {"flow_run_name": flow.flow_run.name, "flow_run_id": str(flow.flow_run.id)}
    if task is not None:
        extra |= {"task_run_name": task.task_run.name, "task_run_id": str(task.task_run.id)}
    return RunLogger(TASK_RUNS if task is not None else FLOW_RUNS, extra)


def configure_console() -> None:
    """Show the log on standard error, where nobody has configured logging."""
    settings = current_settings()
    flows = logging.getLogger("flows")
    with _configuring:
        if not flows.handlers and not logging.getLogger().handlers and flows.level == logging.NOTSET:
            handler = _ConsoleHandler()
            handler.setFormatter(formatter(settings.log_format))
            flows.addHandler(handler)
            flows.setLevel(settings.log_level)


@contextmanager
def log_kept(handler: logging.Handler) -> Generator[None]:
    """For the length of the block, ``handler`` gets the log of all runs, however logging is configured."""
    flows = logging.getLogger("flows")
    _kept_by[handler] = logging.getLevelNamesMapping()[current_settings().log_level]
    flows.setLevel(flows.level)  # loggers remember what they are enabled for
    try:
        yield
    finally:
        del _kept_by[handler]
        flows.setLevel(flows.level)


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Writes to whatever ``sys.stderr`` is at the time, so that captured output stays captured."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        del value


class Outlet(Protocol):
    """Takes what runs say in another process than the driver's."""

    def print(self, text: str) -> None:
        """Take what a run prints, and does not log."""

    def remark(self, text: str) -> None:
        """Take text for the plugins in the driver that hear of workers' output."""


#: Where what is said in this context goes; None in the driver. Prints go there as long as they are watched.
OUTLET: ContextVar[Outlet | None] = ContextVar("flows_outlet", default=None)


def prints_logged() -> AbstractContextManager[None]:
    """For the length of the block, ``print`` goes to the log in runs that ask for it, and only there."""
    return _prints


class _PrintSwitch:
    """Replaces ``builtins.print`` as long as anybody needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._print = builtins.print

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            # It is ours where somebody took it in an earlier block, and put it back after that block.
            if self._users == 1 and builtins.print != self._print_or_log:
                self._print = builtins.print
                builtins.print = self._print_or_log

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and builtins.print == self._print_or_log:
                builtins.print = self._print

    def _print_or_log(self, *values: object, sep: str | None = " ", **options: Any) -> None:
        run = TASK_RUN.get() or FLOW_RUN.get()
        if run is None or options.get("file") not in (None, sys.stdout):
            self._print(*values, sep=sep, **options)
            return
        outlet = OUTLET.get()
        if run.log_prints:
            get_run_logger().info("%s", (" " if sep is None else sep).join(map(str, values)))
        elif outlet is not None:
            end = options.get("end")
            outlet.print(
                (" " if sep is None else sep).join(map(str, values)) + ("\n" if end is None else end)
            )
        else:
            self._print(*values, sep=sep, **options)


_configuring = threading.Lock()
_prints = _PrintSwitch()
