"""Checking and converting what a flow is called with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel, Field

from runtime.exceptions import ParameterTypeError
from runtime.parameters import ParameterValidator

if TYPE_CHECKING:
    from somewhere import OnlyForTheTypeChecker


class Config(BaseModel):
    day: str
    limit: int = 10


class Opaque:
    pass


@dataclasses.dataclass
class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no words")


def validated(function, **parameters):
    return ParameterValidator(function, "f").validate(parameters)


def numbers(n: int, factor: float = 1.0, *rest: str, key: Annotated[int, Field(ge=0)] = 0, **more: int):
    pass


def test_values_are_converted_where_the_annotations_ask_for_it():
    assert validated(numbers, n="3", factor=2) == {"n": 3, "factor": 2.0}


def test_all_that_is_wrong_is_named_at_once_with_what_was_given():
    with pytest.raises(ParameterTypeError) as caught:
        validated(numbers, n="three", key=-1)

    message = str(caught.value)
    assert "Flow 'f' cannot take these parameters:" in message
    assert "n: Input should be a valid integer, unable to parse string as an integer, got 'three'" in message
    assert "key: Input should be greater than or equal to 0, got -1" in message


def test_a_place_inside_of_a_value_is_named_too():
    def flow(config: Config, days: list[int]):
        pass

    with pytest.raises(ParameterTypeError) as caught:
        validated(flow, config={"day": "monday", "limit": "many"}, days=[1, "x"])

    assert "config.limit:" in str(caught.value)
    assert "days.1:" in str(caught.value)


def test_a_model_may_be_given_as_a_dictionary():
    def flow(config: Config):
        pass

    assert validated(flow, config={"day": "monday"})["config"] == Config(day="monday")


def test_parameters_without_annotation_and_collected_ones_are_left_as_they_are():
    def flow(a, *args: int, b: Any = None, **kwargs: int):
        pass

    assert validated(flow, a=1, args=("x",), b=Opaque, kwargs={"k": "x"}) == {
        "a": 1,
        "args": ("x",),
        "b": Opaque,
        "kwargs": {"k": "x"},
    }


def test_a_class_that_pydantic_does_not_know_is_checked_by_isinstance():
    def flow(thing: Opaque):
        pass

    thing = Opaque()

    assert validated(flow, thing=thing)["thing"] is thing
    with pytest.raises(ParameterTypeError, match=r"thing: Input should be an instance of Opaque"):
        validated(flow, thing=3)


def test_annotations_that_cannot_be_read_are_left_alone_and_the_others_hold():
    def flow(thing: OnlyForTheTypeChecker, words: "one of many", broken: Path.nowhere, n: int):  # noqa: F722
        pass

    given = {"thing": "anything", "words": 1, "broken": 2, "n": "3"}

    assert validated(flow, **given) == {**given, "n": 3}


def test_a_value_that_cannot_be_shown_does_not_hide_the_complaint():
    def flow(n: int):
        pass

    with pytest.raises(ParameterTypeError, match="got <Unspeakable>"):
        validated(flow, n=Unspeakable())


def test_a_long_value_is_shown_in_short():
    def flow(n: int):
        pass

    with pytest.raises(ParameterTypeError) as caught:
        validated(flow, n=["x" * 1000])

    assert len(str(caught.value)) < 300


def test_the_given_parameters_are_left_as_they_were():
    given = {"n": "3"}

    ParameterValidator(numbers, "f").validate(given)

    assert given == {"n": "3"}


def test_paths_are_made_of_text():
    def flow(folder: Path):
        pass

    assert validated(flow, folder="/tmp")["folder"] == Path("/tmp")
