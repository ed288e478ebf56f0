"""Tasks that the suite submits. At module level, so that every runner can find them."""

from collections.abc import Callable
from typing import Any

from pytest_flows.suite.gates import Gate, Ledger
from runtime import task


@task
def add(x: int, y: int) -> int:
    """The sum."""
    return x + y


@task
async def add_async(x: int, y: int) -> int:
    """The sum, from an event loop."""
    return x + y


@task
def same(x: Any) -> Any:
    """What it was given."""
    return x


@task
async def same_async(x: Any) -> Any:
    """What it was given, from an event loop."""
    return x


@task
def fail(message: str = "no luck") -> None:
    """Raises."""
    raise ValueError(message)


@task
async def fail_async(message: str = "no luck") -> None:
    """Raises, on an event loop."""
    raise ValueError(message)


@task
def write(ledger: Ledger, line: object, *_: Any) -> object:
    """Leaves a line, and returns it."""
    ledger.write(line)
    return line


@task
def pass_through(gate: Gate, value: Any = None) -> Any:
    """Returns when the gate is open."""
    gate.wait()
    return value


@task
async def pass_through_async(gate: Gate, value: Any = None) -> Any:
    """Returns when the gate is open; lets others run meanwhile."""
    await gate.wait_async()
    return value


@task
def call(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function in the task."""
    return function(*args)


@task
async def call_async(function: Callable[..., Any], *args: Any) -> Any:
    """Awaits what a function returns."""
    return await function(*args)


@task
def meet(mine: Gate, theirs: Gate) -> None:
    """Returns only if somebody else is there at the same time."""
    mine.open()
    theirs.wait()


@task
async def meet_async(mine: Gate, theirs: Gate) -> None:
    """Returns only if somebody else is there at the same time."""
    mine.open()
    await theirs.wait_async()
