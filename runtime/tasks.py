"""Tasks: functions whose every call is a run with a history."""

import functools
import hashlib
import inspect
import io
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import timedelta
from types import MethodType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from runtime.caching import task_input_hash
from runtime.context import may_await
from runtime.engine import call_task, call_task_async, submit_task
from runtime.exceptions import MappingLengthMismatch, MappingMissingIterable
from runtime.futures import PrefectFuture
from runtime.interrupts import let_through
from runtime.options import (
    RunName,
    RunOptions,
    checked_function,
    checked_hooks,
    checked_name,
    checked_run_name,
    checked_tags,
    checked_text,
    description_of,
    refuse_unknown,
)
from runtime.parameters import Annotation, CallSignature, unmapped
from runtime.policies import RunPolicy, retry_delays
from runtime.runs import TaskCall, TaskDefinition
from runtime.states import State, StateType

__all__ = ["Task", "task", "task_input_hash"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R", covariant=True)
T = TypeVar("T")

_RESERVED = frozenset({"wait_for", "return_state"})


class TaskOptions(RunOptions, total=False):
    """The options of a task. One that is not given has the default named here."""

    #: for all its runs: none
    tags: Iterable[str] | None
    #: a template over the parameters, or a function that makes the name: the name and a number
    task_run_name: RunName
    #: a wait before a retry is longer by a random factor between 1 and 1 + this: 0
    retry_jitter_factor: float | None
    #: given task, run and failed state, tells whether another attempt is worthwhile: it always is
    retry_condition_fn: Callable[[Any, Any, State], bool] | None
    #: given context and parameters, makes the key under which results are shared: they are not
    cache_key_fn: Callable[[Any, dict[str, Any]], str | None] | None
    #: how long a shared result may be used: for ever
    cache_expiration: timedelta | None
    #: whether to make a result anew that is there: False
    refresh_cache: bool


class Task(Generic[P, R]):
    """A function whose every call is a task run.

    ``task(...)`` runs it here and now; ``task.submit(...)`` hands it to the flow's task runner;
    ``task.map(...)`` does so once for each element. ``task.fn`` is the function itself.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        **options: Unpack[TaskOptions],
    ) -> None:
        refuse_unknown("@task", options, TaskOptions.__annotations__)
        tags = checked_tags(options.get("tags"))
        self._options: TaskOptions = {**options, "tags": tags}  # an iterator gives them only once
        self.fn = fn
        function = checked_function("task", fn)
        functools.update_wrapper(cast("Any", self), function)
        signature = CallSignature(function)
        name = options.get("name")
        self.name = checked_name("task", name if name is not None else _name_of(function))
        signature.refuse(_RESERVED, f"Task '{self.name}'")
        self.version = checked_text("version", options.get("version"))
        self.description = description_of(function, options.get("description"))
        jitter = options.get("retry_jitter_factor")
        self._definition = TaskDefinition(
            task=self,
            function=function,
            name=self.name,
            key=task_key(function),
            policy=RunPolicy(
                retries=options.get("retries", 0),
                retry_delays=retry_delays(options.get("retry_delay_seconds"), options.get("retries", 0)),
                retry_jitter_factor=jitter if jitter is not None else 0.0,
                retry_condition_fn=options.get("retry_condition_fn"),
                timeout=options.get("timeout_seconds"),
                cache_key_fn=options.get("cache_key_fn"),
                cache_expiration=options.get("cache_expiration"),
                refresh_cache=options.get("refresh_cache", False),
                persist_result=options.get("persist_result", False),
                log_prints=options.get("log_prints"),
            ),
            is_async=inspect.iscoroutinefunction(function),
            signature=signature,
            tags=tags,
            run_name=checked_run_name("task_run_name", options.get("task_run_name"), signature.parameters),
            hooks=checked_hooks(
                {
                    StateType.RUNNING: ("on_running", options.get("on_running")),
                    StateType.COMPLETED: ("on_completion", options.get("on_completion")),
                    StateType.FAILED: ("on_failure", options.get("on_failure")),
                }
            ),
        )

    @property
    def task_key(self) -> str:
        """8 hex digits that stand for the function, the same in every process."""
        return self._definition.key

    @property
    def tags(self) -> set[str]:
        """The tags that all its runs have."""
        return set(self._definition.tags)

    @property
    def definition(self) -> TaskDefinition:
        """What the engine knows of the task."""
        return self._definition

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return self._definition.is_async

    @property
    def policy(self) -> RunPolicy:
        """How its runs are run."""
        return self._definition.policy

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(
        self: "Task[P, Coroutine[Any, Any, Any]]",
        *args: Any,
        return_state: Literal[True],
        wait_for: list[Any] | None = None,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, State]: ...
    @overload
    def __call__(
        self, *args: Any, return_state: Literal[True], wait_for: list[Any] | None = None, **kwargs: Any
    ) -> State: ...
    @overload
    def __call__(
        self,
        *args: Any,
        wait_for: list[Any] | None = None,
        return_state: Literal[False] = False,
        **kwargs: Any,
    ) -> R: ...
    def __call__(
        self, *args: Any, return_state: bool = False, wait_for: list[Any] | None = None, **kwargs: Any
    ) -> Any:
        """Run the task here and now; return its result, or its final state where ``return_state`` is set.

        Raises what the function raises. An async task is to be awaited, except in a flow that is not async.
        """
        call = self._call(args, kwargs)
        if self._definition.is_async and may_await():
            return _called_async(call, wait_for, return_state=return_state)
        state = call_task(call, wait_for)
        let_through()
        return state if return_state else state.result()

    @overload
    def submit(
        self: "Task[P, Coroutine[Any, Any, T]]", *args: P.args, **kwargs: P.kwargs
    ) -> PrefectFuture[T]: ...
    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> PrefectFuture[R]: ...
    @overload
    def submit(
        self, *args: Any, return_state: Literal[True], wait_for: list[Any] | None = None, **kwargs: Any
    ) -> State: ...
    @overload
    def submit(
        self: "Task[P, Coroutine[Any, Any, T]]",
        *args: Any,
        wait_for: list[Any] | None = None,
        return_state: Literal[False] = False,
        **kwargs: Any,
    ) -> PrefectFuture[T]: ...
    @overload
    def submit(
        self,
        *args: Any,
        wait_for: list[Any] | None = None,
        return_state: Literal[False] = False,
        **kwargs: Any,
    ) -> PrefectFuture[R]: ...
    def submit(
        self, *args: Any, return_state: bool = False, wait_for: list[Any] | None = None, **kwargs: Any
    ) -> Any:
        """Hand a run to the task runner of the flow, and get a future for it at once.

        Futures among the arguments, at any depth, arrive as their results. ``wait_for`` lists futures to
        wait for besides. With ``return_state`` it waits and returns the final state. Raises
        ``MissingContext`` outside of a flow.
        """
        future = submit_task(self._call(args, kwargs), wait_for)
        let_through()
        return future.wait() if return_state else future

    @overload
    def map(
        self: "Task[P, Coroutine[Any, Any, T]]",
        *args: Any,
        wait_for: list[Any] | None = None,
        return_state: Literal[False] = False,
        **kwargs: Any,
    ) -> list[PrefectFuture[T]]: ...
    @overload
    def map(
        self,
        *args: Any,
        wait_for: list[Any] | None = None,
        return_state: Literal[False] = False,
        **kwargs: Any,
    ) -> list[PrefectFuture[R]]: ...
    @overload
    def map(
        self, *args: Any, return_state: Literal[True], wait_for: list[Any] | None = None, **kwargs: Any
    ) -> list[State]: ...
    def map(
        self, *args: Any, return_state: bool = False, wait_for: list[Any] | None = None, **kwargs: Any
    ) -> Any:
        """Submit one run for each element of the iterables among the arguments.

        All iterables must have one length (``MappingLengthMismatch``), and there must be one
        (``MappingMissingIterable``). Other arguments, strings, and ``unmapped(x)`` are the same for all.
        A future whose result is a list is waited for and mapped over.
        """
        futures = [
            submit_task(self._call(each_args, each_kwargs), wait_for)
            for each_args, each_kwargs in _mapped(self.name, args, kwargs)
        ]
        let_through()
        if not return_state:
            return futures
        if self._definition.is_async and may_await():
            return _states_of(futures)
        return [future.wait() for future in futures]

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> "Task[P, R]": ...
    @overload
    def __get__(
        self: "Task[Concatenate[Any, Q], T]", instance: object, owner: type | None = None
    ) -> "Task[Q, T]": ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        """The task itself on the class; on an object the task whose first argument is that object."""
        if instance is None:
            return self
        bound: Any = copy(self)
        bound.fn = MethodType(self._definition.function, instance)
        bound._definition = replace(
            self._definition, task=bound, function=bound.fn, signature=CallSignature(bound.fn)
        )
        return bound

    def with_options(self, **options: Unpack[TaskOptions]) -> "Task[P, R]":
        """The same task with other options; takes what the decorator takes."""
        refuse_unknown(f"Task '{self.name}'", options, TaskOptions.__annotations__)
        return type(self)(self.fn, **{**self._options, **options})

    @contextmanager
    def replaced(self, fn: Callable[..., Any]) -> Generator[None]:
        """For the length of a block, run ``fn`` in place of the function; all else stays as it is.

        For tests. ``fn`` must be a coroutine function where the task is async.
        """
        before = self.fn, self._definition
        self.fn = cast("Callable[P, R]", fn)
        self._definition = replace(self._definition, function=fn)
        try:
            yield
        finally:
            self.fn, self._definition = before

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskCall:
        definition = self._definition
        definition.signature.check(args, kwargs)
        return TaskCall(definition, args, kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """The task without its hooks: those are called in the driver, and may not be able to travel."""
        hooks = dict.fromkeys(("on_running", "on_completion", "on_failure"))
        return {
            **self.__dict__,
            "_options": {**self._options, **hooks},
            "_definition": replace(self._definition, hooks={}),
        }

    def __repr__(self) -> str:
        return f"Task({self.name!r})"


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[..., Any] | None = None, /, **options: Unpack[TaskOptions]) -> Any:
    """Make a task of a function: ``@task``, or ``@task(retries=3, ...)``.

    Args:
        fn: the function, sync or async.
        **options: ``name``, ``version``, ``description``, ``tags``; ``task_run_name`` (a template such as
            ``"fetch-{page}"``, or a function); ``retries``, ``retry_delay_seconds`` (a number, one for each
            retry, or a function of ``retries`` that lists them), ``retry_jitter_factor``,
            ``retry_condition_fn(task, task_run, state)``; ``timeout_seconds`` for each attempt;
            ``cache_key_fn(context, parameters)``, ``cache_expiration``, ``refresh_cache``;
            ``persist_result``; ``log_prints``; ``on_running``, ``on_completion``, ``on_failure``, each a list
            of ``hook(task, task_run, state)``.
    """
    refuse_unknown("@task", options, TaskOptions.__annotations__)
    return Task(fn, **options) if fn is not None else functools.partial(Task, **options)


def task_key(function: Callable[..., Any]) -> str:
    """8 hex digits that stand for a function, by its module and qualified name."""
    inner = function.func if isinstance(function, functools.partial) else function
    place = f"{getattr(inner, '__module__', '')}:{getattr(inner, '__qualname__', type(inner).__qualname__)}"
    return hashlib.sha256(place.encode()).hexdigest()[:8]


def _name_of(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    return "lambda" if name == "<lambda>" else name


async def _called_async(call: TaskCall, wait_for: list[Any] | None, *, return_state: bool) -> Any:
    state = await call_task_async(call, wait_for)
    return state if return_state else state.result()


async def _states_of(futures: list[PrefectFuture[Any]]) -> list[State | None]:
    return [await future.wait_async() for future in futures]


def _mapped(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments of each run."""
    given: dict[int | str, Any] = {**dict(enumerate(args)), **kwargs}
    elements = {place: items for place, value in given.items() if (items := _elements(value)) is not None}
    if not elements:
        raise MappingMissingIterable(
            f"Task '{name}' was mapped over nothing: none of its arguments is iterable. "
            f"Call `{name}.submit(...)` for a single run."
        )
    lengths = {place: len(items) for place, items in elements.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(
            f"{place if isinstance(place, str) else f'#{place}'}: {n}" for place, n in lengths.items()
        )
        raise MappingLengthMismatch(
            f"Task '{name}' was mapped over iterables of different lengths ({shown}). "
            "Wrap what is to be the same for all runs in `unmapped(...)`."
        )
    same = {
        place: cast("unmapped[Any]", value).value if isinstance(value, unmapped) else value
        for place, value in given.items()
    }

    def at(index: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        each = {place: elements[place][index] if place in elements else same[place] for place in given}
        return tuple(each[position] for position in range(len(args))), {key: each[key] for key in kwargs}

    return [at(index) for index in range(next(iter(lengths.values())))]


def _elements(value: Any) -> list[Any] | None:
    """What is mapped over; None for a value that is the same for all runs."""
    if isinstance(value, unmapped):
        return None
    if isinstance(value, Annotation):
        annotation = cast("Annotation[Any]", value)
        inner = _elements(annotation.value)
        return None if inner is None else [type(annotation)(item) for item in inner]
    if isinstance(value, PrefectFuture):
        future = cast("PrefectFuture[Any]", value)
        future.wait_here()
        return _elements(future.get_state().result())
    if isinstance(value, str | bytes | bytearray | io.IOBase) or not isinstance(value, Iterable):
        return None
    return list(cast("Iterable[Any]", value))
