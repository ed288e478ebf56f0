"""The log as text: a line for people, or an object for programs, for each record."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

LogFormat = Literal["text", "json"]

LINE_FORMAT = "%(asctime)s.%(msecs)03d | %(message)s"
TIME_FORMAT = "%H:%M:%S"

_ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Makes one JSON object, on one line, of each record: also of what ``extra`` gave it.

    Private attributes are left out: Ray puts some into every record of a process that it was used in.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON. What JSON cannot say stands there as its ``repr``."""
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {
            name: _plain(value)
            for name, value in record.__dict__.items()
            if name not in _ORDINARY and name not in fields and not name.startswith("_")
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:  # it was made on a worker
            fields["exception"] = record.exc_text
        return json.dumps(fields)


def formatter(log_format: LogFormat) -> logging.Formatter:
    """What the console writes records with."""
    return JsonFormatter() if log_format == "json" else logging.Formatter(LINE_FORMAT, TIME_FORMAT)


def _plain(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
    return value
