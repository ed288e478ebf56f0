"""Which argument belongs to which parameter."""

import functools

import pytest

from runtime.exceptions import ReservedArgumentError
from runtime.parameters import CallSignature


def plain(a, b, c=3):
    pass


def rich(a, /, b, *rest, key, default=5, **more):
    pass


def nothing():
    pass


def keyword_only(*, key):
    pass


class Callable:
    def __call__(self, x, y=1):
        pass


FUNCTIONS = [
    plain,
    rich,
    nothing,
    keyword_only,
    Callable(),
    functools.partial(plain, 1),
    functools.partial(rich, 1, key=2),
]
CALLS = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((), {"a": 1}),
    ((), {"b": 2}),
    ((1,), {"b": 2}),
    ((1, 2), {"b": 2}),
    ((), {"key": 2}),
    ((1, 2), {"key": 2}),
    ((1, 2, 3, 4), {"key": 2, "other": 6}),
    ((1,), {"unknown": 1}),
    ((), {"x": 1, "y": 2}),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_a_call_is_refused_exactly_where_python_refuses_it(function, args, kwargs):
    signature = CallSignature(function)
    try:
        function(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            signature.check(args, kwargs)
        with pytest.raises(TypeError):
            signature.bind(args, kwargs)
    else:
        signature.check(args, kwargs)
        signature.bind(args, kwargs)


def test_binding_names_every_value_and_fills_in_defaults():
    assert CallSignature(plain).bind((1,), {"b": 2}) == {"a": 1, "b": 2, "c": 3}
    assert CallSignature(rich).bind((1, 2, 3, 4), {"key": 6, "extra": 7}) == {
        "a": 1,
        "b": 2,
        "rest": (3, 4),
        "key": 6,
        "default": 5,
        "more": {"extra": 7},
    }


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, (1, 2), {}),
        (rich, (1, 2, 3, 4), {"key": 6, "extra": 7}),
        (nothing, (), {}),
        (keyword_only, (), {"key": 1}),
    ],
)
def test_unbinding_gives_the_arguments_of_the_same_call(function, args, kwargs):
    signature = CallSignature(function)
    parameters = signature.bind(args, kwargs)

    assert signature.bind(*signature.unbind(parameters)) == parameters


def test_positions_belong_to_parameters_by_name():
    signature = CallSignature(rich)

    assert [signature.name_of(position) for position in range(4)] == ["a", "b", "rest", "rest"]
    assert list(signature.parameters) == ["a", "b", "rest", "key", "default", "more"]


def test_a_parameter_with_a_reserved_name_is_refused():
    def task(wait_for):
        pass

    with pytest.raises(ReservedArgumentError, match="Task 'x' has a parameter 'wait_for', which is reserved"):
        CallSignature(task).refuse(frozenset({"wait_for", "return_state"}), "Task 'x'")
    CallSignature(plain).refuse(frozenset({"wait_for"}), "Task 'x'")
