"""The fixture ``flow_stub``: tasks that do something else for the length of a test, on every task runner."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

from runtime import Task, get_run_context
from runtime.context import TaskRunContext

#: a function called in place of the task's, or what each attempt of a run is to return or raise
SideEffect: TypeAlias = Callable[..., Any] | Sequence[Any]


class FlowStub:
    """Puts stubs in place of tasks. Names, options and histories of the tasks stay as they are."""

    def __init__(self, stubbed: ExitStack) -> None:
        self._stubbed = stubbed

    def __call__(
        self,
        task: Task[..., Any],
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        side_effect: SideEffect | None = None,
    ) -> None:
        """Have ``task`` return or raise something, or call another function with its arguments.

        ``side_effect`` may also list what the first attempt of each run returns, or raises where it is an
        exception, what the second, and so on; the last one repeats. That needs no memory, so it holds
        where attempts of one run are made in different processes. Raises ``TypeError`` where more than
        one of the three is given.
        """
        if not isinstance(task, Task):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise TypeError(f"flow_stub() replaces tasks, not {task!r}")
        if sum([returns is not None, raises is not None, side_effect is not None]) > 1:
            raise TypeError("flow_stub() takes one of returns=, raises= and side_effect=")
        if callable(side_effect):
            stub = side_effect
        elif side_effect is not None:
            stub = _each_attempt(list(side_effect))
        else:
            stub = _each_attempt([raises if raises is not None else returns])
        self._stubbed.enter_context(task.replaced(_awaited(stub) if task.is_async else stub))


def _each_attempt(outcomes: list[Any]) -> Callable[..., Any]:
    if not outcomes:
        raise ValueError("side_effect lists nothing: there must be something for the first attempt")

    def stub(*args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        context = get_run_context()
        attempt = context.attempt if isinstance(context, TaskRunContext) else 1
        outcome = outcomes[min(attempt, len(outcomes)) - 1]
        if isinstance(outcome, BaseException) or _is_exception_type(outcome):
            raise outcome
        return outcome

    return stub


def _awaited(stub: Callable[..., Any]) -> Callable[..., Any]:
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        value = stub(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    return awaited


def _is_exception_type(outcome: object) -> bool:
    return isinstance(outcome, type) and issubclass(outcome, BaseException)
