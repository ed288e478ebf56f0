"""Parameters as JSON text."""

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from runtime.parameters import REDACTED, describe_parameters


def described(value: Any) -> Any:
    """What a history keeps of a parameter called x."""
    return json.loads(describe_parameters({"x": value}))["x"]


class Opaque:
    pass


@dataclass
class Point:
    x: float
    label: Any = None


class Model(BaseModel):
    day: str
    password: str = "hunter2"


class Broken:
    __qualname__ = "Broken"

    @property
    def __class__(self):
        raise RuntimeError("no class")


@dataclass
class Lazy:
    value: Any

    def __getattribute__(self, name):
        if name == "value":
            raise ValueError("not loaded")
        return super().__getattribute__(name)


def test_no_parameters_are_an_empty_object():
    assert describe_parameters({}) == "{}"


@pytest.mark.parametrize(
    "value", [None, True, False, 0, -7, 10**18, 1.5, "text", "", [], [1, [2, None]], {}, {"a": {"b": [1]}}]
)
def test_what_json_can_say_is_itself(value):
    assert described(value) == value
    assert type(described(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), {"$type": "builtins.tuple", "$items": [1, 2]}),
        ({3}, {"$type": "builtins.set", "$items": [3]}),
        (frozenset({3}), {"$type": "builtins.frozenset", "$items": [3]}),
        ({1: 2}, {"$type": "builtins.dict"}),
        (OrderedDict(a=1), {"$type": "collections.OrderedDict"}),
        (date(2024, 2, 29), {"$type": "datetime.date", "$text": "2024-02-29"}),
        (timedelta(1), {"$type": "datetime.timedelta", "$text": "1 day, 0:00:00"}),
        (PurePosixPath("/a/b"), {"$type": "pathlib.PurePosixPath", "$text": "/a/b"}),
        (Decimal("1.10"), {"$type": "decimal.Decimal", "$text": "1.10"}),
        (UUID(int=7), {"$type": "uuid.UUID", "$text": "00000000-0000-0000-0000-000000000007"}),
        (math.inf, {"$type": "builtins.float", "$text": "inf"}),
        (-math.inf, {"$type": "builtins.float", "$text": "-inf"}),
        (10**1000, {"$type": "builtins.int"}),
        (b"bytes", {"$type": "builtins.bytes"}),
        (3j, {"$type": "builtins.complex"}),
    ],
)
def test_what_json_cannot_say_is_described_by_its_type(value, expected):
    if expected["$type"] == "pathlib.PurePosixPath":
        expected = {**expected, "$type": f"{type(value).__module__}.PurePosixPath"}
    assert described(value) == expected


def test_not_a_number_is_no_json_and_so_described():
    assert described(math.nan) == {"$type": "builtins.float", "$text": "nan"}


def test_an_object_is_described_by_its_class_alone():
    assert described(Opaque()) == {"$type": f"{__name__}.Opaque"}
    assert described(Opaque) == {"$type": "builtins.type"}


def test_dataclasses_and_models_are_described_with_their_fields():
    assert described(Point(1.5, [Point(2.0)])) == {
        "$type": f"{__name__}.Point",
        "$fields": {
            "x": 1.5,
            "label": [{"$type": f"{__name__}.Point", "$fields": {"x": 2.0, "label": None}}],
        },
    }
    assert described(Model(day="monday")) == {
        "$type": f"{__name__}.Model",
        "$fields": {"day": "monday", "password": REDACTED},
    }


def test_a_dictionary_that_looks_like_a_description_is_told_from_one():
    assert described({"$type": "os.system"}) == {
        "$type": "builtins.dict",
        "$fields": {"$type": "os.system"},
    }


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "passwd",
        "passphrase",
        "client_secret",
        "token",
        "api_key",
        "apikey",
        "private_key",
        "aws_access_key_id",
        "credentials",
        "Authorization",
    ],
)
@pytest.mark.parametrize("value", ["hunter2", 1234, ["hunter2"], {"user": "hunter2"}, Opaque()])
def test_what_sounds_secret_is_redacted(name, value):
    text = describe_parameters({name: value, "nested": [{name: value}]})

    assert json.loads(text) == {name: REDACTED, "nested": [{name: REDACTED}]}


def test_whether_there_is_a_secret_is_no_secret():
    assert json.loads(describe_parameters({"password": None, "use_token": True})) == {
        "password": None,
        "use_token": True,
    }


def test_an_ordinary_word_is_not_redacted():
    assert json.loads(describe_parameters({"keyboard": "us", "passenger": 3})) == {
        "keyboard": "us",
        "passenger": 3,
    }


def test_a_text_that_is_not_unicode_is_described_and_not_passed_off_as_another():
    assert described("file-\udc80") == {"$type": "builtins.str", "$text": "file-?"}
    assert described(["a\udc80", "b"]) == [{"$type": "builtins.str", "$text": "a?"}, "b"]


def test_a_long_text_is_cut_and_says_so():
    cut = described("x" * 50_000)

    assert cut == {"$type": "builtins.str", "$text": "x" * 10_000, "$length": 50_000}
    assert described("x" * 10_000) == "x" * 10_000


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_a_long_collection_is_cut_and_says_so(kind):
    cut = described(kind(range(100_000)))

    assert cut["$type"] == f"builtins.{kind.__name__}"
    assert cut["$length"] == 100_000
    assert cut["$items"] == list(range(len(cut["$items"])))
    assert 1_000 <= len(cut["$items"]) <= 100_000


def test_a_long_dictionary_is_cut_and_says_so():
    cut = described({str(number): number for number in range(100_000)})

    assert cut["$length"] == 100_000
    assert cut["$fields"]["0"] == 0


def test_a_description_is_short_however_much_there_is():
    shared: list[Any] = []
    for _ in range(40):
        shared = [shared, shared]  # two to the power of forty lists
    rows = [["x" * 1_000] * 1_000] * 1_000

    assert len(describe_parameters({"shared": shared, "rows": rows})) < 1_000_000


def test_a_collection_that_holds_itself_is_cut():
    endless: list[Any] = [1]
    endless.append(endless)

    assert described(endless)[0] == 1
    assert len(describe_parameters({"x": endless})) < 10_000


def test_a_value_nested_deep_is_described_down_to_some_depth():
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = [deep]

    assert described(deep)[0][0][0] is not None
    assert described([[["bottom"]]]) == [[["bottom"]]]


def test_values_that_raise_when_looked_at_are_described_by_their_class():
    assert described(Lazy(1))["$type"] == f"{__name__}.Lazy"
    assert described([1, Lazy(1), 3])[2] == 3
    assert described(Broken())["$type"] == f"{__name__}.Broken"
