"""The log as text, and as JSON."""

import json
import logging
import math
import sys

import pytest

from runtime.log_formats import JsonFormatter, formatter


def record(message, *arguments, **extra):
    made = logging.makeLogRecord({"name": "flows.flow_runs", "levelname": "INFO", "levelno": 20, **extra})
    made.msg, made.args = message, arguments
    return made


def shown(made):
    text = JsonFormatter().format(made)
    assert "\n" not in text
    return json.loads(text)


def test_a_record_is_an_object_on_one_line():
    assert shown(record("two\nlines of %d", 2, created=0.5, flow_run_name="olivine-swan", rows=3)) == {
        "at": "1970-01-01T00:00:00.500000+00:00",
        "level": "INFO",
        "logger": "flows.flow_runs",
        "message": "two\nlines of 2",
        "flow_run_name": "olivine-swan",
        "rows": 3,
    }


def test_what_a_library_notes_for_itself_is_left_out():
    assert "_stamp" not in shown(record("one", _stamp=1))


def test_an_exception_is_a_field():
    try:
        raise ValueError("not today")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())

    assert shown(made)["exception"].endswith("ValueError: not today")


def test_the_exception_of_a_worker_is_a_field_too():
    assert shown(record("failed", exc_text="ValueError: not today"))["exception"] == "ValueError: not today"


@pytest.mark.parametrize("value", [{1, 2}, object(), math.nan, b"bytes", {("a", "b"): 1}, 1j])
def test_what_json_cannot_say_stands_as_its_repr(value):
    assert shown(record("given", given=value))["given"] == repr(value)


def test_a_field_of_the_caller_replaces_none_of_the_record():
    assert shown(record("said", level="mine", at="never"))["level"] == "INFO"


def test_half_a_surrogate_pair_is_no_trouble():
    assert shown(record("\ud800 alone"))["message"] == "\ud800 alone"


def test_people_get_a_line_with_the_time():
    line = formatter("text").format(record("begun"))

    assert line.endswith(" | begun")
    assert len(line) == len("12:00:00.000 | begun")
