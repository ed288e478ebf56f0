"""What may be written around an argument."""

import copy
import pickle

import pytest

from runtime import allow_failure, quote, unmapped


@pytest.mark.parametrize("kind", [allow_failure, quote, unmapped])
def test_an_annotation_holds_its_value_and_shows_it(kind):
    value = [1]

    annotation = kind(value)

    assert annotation.value is value
    assert annotation.unwrap() is value
    assert repr(annotation) == f"{kind.__name__}([1])"


def test_annotations_are_equal_when_kind_and_value_are():
    assert quote([1]) == quote([1])
    assert quote([1]) != quote([2])
    assert quote([1]) != unmapped([1])
    assert quote([1]) != [1]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_an_annotation_can_be_copied_and_pickled(duplicate):
    assert duplicate(quote({"a": 1})) == quote({"a": 1})
