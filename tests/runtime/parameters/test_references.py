"""Futures among arguments: finding them, and putting results where they stood."""

import dataclasses
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict

from runtime import allow_failure, quote, unmapped
from runtime.clocks import SystemClock
from runtime.futures import PrefectFuture
from runtime.history import Journal
from runtime.parameters import Upstream, collect, put
from runtime.runs import TaskRun
from runtime.states import Completed


def future_of(value: Any, number: int = 1) -> PrefectFuture[Any]:
    run = TaskRun(UUID(int=number, version=4), "add", "a087a829", 0, None)
    future: PrefectFuture[Any] = PrefectFuture(
        run, Journal(SystemClock(), None, threading.RLock()), Completed(data=value)
    )
    future.settle()
    return future


def found_in(value: Any) -> list[PrefectFuture[Any]]:
    upstream = Upstream()
    collect(upstream, "x", value)
    return [future for future, _, _ in upstream.edges]


def resolved(value: Any) -> Any:
    """The value as a task gets it."""
    (result,), _ = put((value,), {}, lambda future, _: future.get_state().result())
    return result


@dataclasses.dataclass
class Box:
    inside: Any
    label: str = "box"


@dataclasses.dataclass(frozen=True)
class FrozenBox:
    inside: Any


@dataclasses.dataclass(slots=True)
class SlottedBox:
    inside: Any


@dataclasses.dataclass
class Computed:
    given: Any
    made: Any = dataclasses.field(init=False)

    def __post_init__(self):
        self.made = [self.given]


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    inside: Any
    label: str = "model"


class Pair(NamedTuple):
    left: Any
    right: Any


class MyList(list):
    pass


@pytest.mark.parametrize(
    "container",
    [
        lambda x: x,
        lambda x: [1, x],
        lambda x: (x,),
        lambda x: {x},
        lambda x: frozenset({x, 1}),
        lambda x: {"key": x},
        lambda x: {x: "value"},
        lambda x: OrderedDict([("b", 1), ("a", x)]),
        lambda x: Pair(x, 2),
        lambda x: Box(x),
        lambda x: FrozenBox([x]),
        lambda x: SlottedBox(x),
        lambda x: Model(inside=x),
        lambda x: MyList([x]),
        lambda x: [{"deep": ([Box({"deeper": x})],)}],
    ],
)
def test_a_future_is_found_and_replaced_in_every_container_which_keeps_its_type(container):
    future = future_of("result")
    given = container(future)

    assert found_in(given) == [future]
    assert resolved(given) == container("result")
    assert type(resolved(given)) is type(container("result"))


def test_what_makes_a_mapping_special_is_kept():
    given = defaultdict(list, a=future_of([1]))

    again = resolved(given)

    assert again["a"] == [1]
    assert again["missing"] == []
    assert isinstance(resolved(Counter(a=future_of(3))), Counter)
    assert list(resolved(OrderedDict(b=1, a=future_of(2)))) == ["b", "a"]


def test_the_fields_that_init_does_not_take_are_replaced_too():
    again = resolved(Computed(future_of(3)))

    assert (again.given, again.made) == (3, [3])


def test_the_value_that_was_passed_is_left_as_it_was():
    future = future_of(1)
    given = {"list": [future], "box": Box(future), "model": Model(inside=future)}

    resolved(given)

    assert given["list"] == [future]
    assert given["box"].inside is future
    assert given["model"].inside is future


@pytest.mark.parametrize(
    "value",
    [
        1,
        "text",
        None,
        [1, [2]],
        {"a": {"b": ()}},
        Box([1]),
        Model(inside={"a": 1}),
        Pair(1, 2),
        deque([1]),
        object(),
    ],
)
def test_a_value_without_futures_comes_back_as_the_very_same(value):
    assert found_in(value) == []
    assert resolved(value) is value


def test_containers_next_to_a_future_stay_the_very_same():
    untouched = {"large": [1, 2, 3]}

    again = resolved([untouched, future_of(1)])

    assert again[0] is untouched


def test_futures_are_found_in_order_with_the_name_of_their_parameter():
    first, second, third = (future_of(n, n) for n in (1, 2, 3))
    upstream = Upstream()

    collect(upstream, "a", [first, {"x": second}])
    collect(upstream, "b", allow_failure(third))

    assert [(f.task_run.id.int & 0xFF, name, allowed) for f, name, allowed in upstream.edges] == [
        (1, "a", False),
        (2, "a", False),
        (3, "b", True),
    ]
    assert upstream.needs_putting


def test_a_generator_becomes_a_list_once_and_for_all():
    future = future_of("b")
    upstream = Upstream()

    value = collect(upstream, "x", (item for item in ["a", future]))

    assert value == ["a", future]
    assert upstream.generators
    assert resolved(value) == ["a", "b"]


def test_other_iterators_are_left_alone():
    iterator = iter([future_of(1)])

    assert found_in(iterator) == []
    assert resolved(iterator) is iterator


def test_what_is_quoted_is_not_looked_into():
    future = future_of(1)
    upstream = Upstream()

    value = collect(upstream, "x", quote([future]))

    assert upstream.edges == []
    assert upstream.needs_putting
    assert resolved(value) == [future]


def test_an_allowed_failure_is_told_to_whoever_gives_the_value():
    future = future_of(1)
    asked = []

    def value_of(future, allowed):
        asked.append(allowed)
        return "value"

    args, kwargs = put((allow_failure(future), [future]), {"k": allow_failure(future)}, value_of)

    assert args == ("value", ["value"])
    assert kwargs == {"k": "value"}
    assert asked == [True, False, True]


def test_an_allowed_failure_around_a_plain_value_is_that_value():
    assert resolved(allow_failure(3)) == 3
    assert resolved([quote(3)]) == [3]


def test_an_unmapped_value_outside_of_a_map_stays_as_it_is():
    assert resolved(unmapped([1])) == unmapped([1])


def test_a_container_that_holds_itself_is_walked_once():
    endless: list[Any] = [1]
    endless.append(endless)
    future = future_of("result")
    both: dict[str, Any] = {"future": future}
    both["self"] = both

    assert found_in(endless) == []
    assert found_in(both) == [future]
    assert resolved(both)["future"] == "result"


def test_a_container_that_is_there_twice_is_replaced_twice():
    shared = [future_of("result")]

    assert resolved([shared, shared]) == [["result"], ["result"]]


def test_a_result_is_not_looked_into():
    inner = future_of("inner")

    assert resolved([future_of([inner], 2)]) == [[inner]]


def test_locks_and_other_things_that_cannot_be_copied_may_stand_next_to_futures():
    lock = threading.Lock()

    assert resolved([lock, future_of(1)]) == [lock, 1]
    assert resolved(Box([lock, future_of(1)])).inside == [lock, 1]


def test_a_dataclass_that_lacks_a_field_is_no_trouble():
    box = Box(future_of(1))
    del box.__dict__["label"]

    assert resolved(box).inside == 1
