"""What type checkers see of flows and tasks. Checked by pyright, and run, so that the types are true."""

from typing import assert_type

from runtime import State, flow, task
from runtime.futures import PrefectFuture
from runtime.task_runners import SequentialTaskRunner


@task
def double(x: int) -> int:
    """A sync task."""
    return 2 * x


@task(retries=1)
async def halve(x: int) -> float:
    """An async task, with options."""
    return x / 2


class Shop:
    """Methods are tasks as well as functions are."""

    @task
    def price(self, item: str) -> int:
        """A method."""
        return len(item)


@flow(task_runner=SequentialTaskRunner())
def typed(x: int) -> str:
    """A flow that uses every way to call a task."""
    assert_type(Shop().price("pear"), int)
    assert_type(Shop().price.submit("pear"), PrefectFuture[int])
    assert_type(double(x), int)
    assert_type(double.submit(x), PrefectFuture[int])
    assert_type(halve.submit(x), PrefectFuture[float])
    assert_type(double.submit(x, wait_for=[]), PrefectFuture[int])
    assert_type(double.submit(x, return_state=True), State)
    assert_type(double.map([x]), list[PrefectFuture[int]])
    return "typed"


def test_what_a_flow_returns_has_the_type_of_its_function() -> None:
    result = typed(1)

    assert_type(result, str)
    assert result == "typed"


def test_a_flow_asked_for_its_state_returns_a_state() -> None:
    state = typed(1, return_state=True)

    assert_type(state, State)
    assert state.is_completed()
