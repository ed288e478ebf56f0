"""Flows: functions that call and submit tasks, and whose every call is a run with a history."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from copy import copy
from dataclasses import replace
from types import MethodType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from runtime import parameters as parameters_module
from runtime.context import may_await
from runtime.engine import run_flow, run_flow_async, run_flow_on_loop
from runtime.exceptions import ParameterTypeError, ResumeError
from runtime.futures import PrefectFuture
from runtime.history import FlowRunHistory
from runtime.options import (
    Hooks,
    RunName,
    RunOptions,
    checked_function,
    checked_hooks,
    checked_name,
    checked_run_name,
    checked_text,
    description_of,
    refuse_unknown,
)
from runtime.parameters import CallSignature, Upstream, collect, described_parameters, put
from runtime.policies import RunPolicy, retry_delays
from runtime.runs import FlowCall, FlowDefinition
from runtime.states import State, StateType
from runtime.task_runners import BaseTaskRunner

__all__ = ["Flow", "flow"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R", covariant=True)
T = TypeVar("T")

_RESERVED = frozenset({"return_state"})


class FlowOptions(RunOptions, total=False):
    """The options of a flow. One that is not given has the default named here."""

    #: a template over the parameters, or a function that makes the name: two random words
    flow_run_name: RunName
    #: an instance or a class: concurrent
    task_runner: BaseTaskRunner | type[BaseTaskRunner] | None
    #: whether parameters must be what the annotations say: True
    validate_parameters: bool
    #: called like the other hooks: none
    on_crashed: Hooks
    on_cancellation: Hooks


class Flow(Generic[P, R]):
    """A function whose every call is a flow run: it has a task runner, and tasks run inside of it.

    ``flow(...)`` returns the result or raises; ``flow(..., return_state=True)`` returns the final state.
    A flow called in a flow is a subflow. ``flow.fn`` is the function itself.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        **options: Unpack[FlowOptions],
    ) -> None:
        refuse_unknown("@flow", options, FlowOptions.__annotations__)
        self._options = options
        self.fn = fn
        function = checked_function("flow", fn)
        functools.update_wrapper(cast("Any", self), function)
        self._signature = CallSignature(function)
        name = options.get("name")
        self.name = checked_name("flow", name if name is not None else _name_of(function))
        self._signature.refuse(_RESERVED, f"Flow '{self.name}'")
        self.version = checked_text("version", options.get("version"))
        self.description = description_of(function, options.get("description"))
        self._task_runner = _checked_runner(options.get("task_runner"))
        validate_parameters = options.get("validate_parameters", True)
        if not isinstance(cast("object", validate_parameters), bool):
            raise TypeError(f"validate_parameters must be True or False, not {validate_parameters!r}")
        self._validates = validate_parameters and bool(getattr(function, "__annotations__", None))
        self._definition = FlowDefinition(
            flow=self,
            function=function,
            name=self.name,
            version=self.version,
            policy=RunPolicy(
                retries=options.get("retries", 0),
                retry_delays=retry_delays(options.get("retry_delay_seconds"), options.get("retries", 0)),
                timeout=options.get("timeout_seconds"),
                persist_result=options.get("persist_result", False),
                log_prints=options.get("log_prints"),
            ),
            is_async=inspect.iscoroutinefunction(function),
            entry_point=_entry_point(function),
            run_name=checked_run_name(
                "flow_run_name", options.get("flow_run_name"), self._signature.parameters
            ),
            hooks=checked_hooks(
                {
                    StateType.RUNNING: ("on_running", options.get("on_running")),
                    StateType.COMPLETED: ("on_completion", options.get("on_completion")),
                    StateType.FAILED: ("on_failure", options.get("on_failure")),
                    StateType.CRASHED: ("on_crashed", options.get("on_crashed")),
                    StateType.CANCELLED: ("on_cancellation", options.get("on_cancellation")),
                }
            ),
        )

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return self._definition.is_async

    @property
    def policy(self) -> RunPolicy:
        """How its runs are run."""
        return self._definition.policy

    @property
    def signature(self) -> CallSignature:
        """What the function takes."""
        return self._signature

    @property
    def task_runner(self) -> BaseTaskRunner:
        """The task runner that it declares, or else a concurrent one. Each run uses a copy."""
        if self._task_runner is None:
            from runtime.task_runners import ConcurrentTaskRunner

            self._task_runner = ConcurrentTaskRunner()
        return self._task_runner

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(
        self: "Flow[P, Coroutine[Any, Any, Any]]", *args: Any, return_state: Literal[True], **kwargs: Any
    ) -> Coroutine[Any, Any, State]: ...
    @overload
    def __call__(self, *args: Any, return_state: Literal[True], **kwargs: Any) -> State: ...
    @overload
    def __call__(self, *args: Any, return_state: Literal[False], **kwargs: Any) -> R: ...
    def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
        """Run the flow; return its result, or its final state where ``return_state`` is set.

        Raises what the function raises, or what went wrong first in its tasks. With ``return_state`` a
        failure is in the state; only what would end the process, such as an interrupt, is raised.
        An async flow is to be awaited, except in a flow that is not async.
        """
        bound = self._signature.bind(args, kwargs)
        if self._definition.is_async:
            if may_await():
                return self._run_async(bound, return_state=return_state)
            state = run_flow_on_loop(self._call(self._resolved(bound)))
        else:
            state = run_flow(self._call(self._resolved(bound)))
        return state if return_state else state.result()

    @property
    def code_hash(self) -> str:
        """SHA-256 of the function's source, "" where there is none."""
        return self._definition.code_hash

    def resume(
        self,
        history: FlowRunHistory,
        parameters: Mapping[str, Any] | None = None,
        *,
        changed_code: bool = False,
    ) -> Any:
        """Go on with a flow run that crashed, failed or was cancelled: the same id, the next run count.

        The function is called again. A task run that completed, and whose result was kept
        (``persist_result``), is not made again where its inputs and its code are the same; all others are.
        Returns the final state, to be awaited where the flow is async. ``parameters`` are those that the
        history does not hold. Raises ``ResumeError``, for changed code unless ``changed_code`` is set.
        """
        self._check_resumable(history, changed_code=changed_code)
        recorded, lost = described_parameters(history.flow_run.parameters)
        given = dict(parameters or {})
        missing = [name for name in lost if name not in given]
        if missing:
            raise ResumeError(
                f"Flow run '{history.flow_run.name}' does not hold its parameters {', '.join(missing)}: "
                f"secrets, and what JSON cannot say, are not kept. Give them again."
            )
        call = replace(self._call({**recorded, **given}), resumed=history)
        return run_flow_async(call) if self._definition.is_async else run_flow(call)

    def _check_resumable(self, history: FlowRunHistory, *, changed_code: bool) -> None:
        run, state = history.flow_run, history.states[-1].state
        if run.parent_id is not None:
            raise ResumeError(f"'{run.name}' is a subflow run: resume the flow run around it.")
        if not state.is_final() or state.is_completed():
            raise ResumeError(f"Flow run '{run.name}' is {state.name}: there is nothing to resume.")
        now = self._definition
        if run.flow_name != now.name:
            raise ResumeError(f"'{run.name}' is a run of flow '{run.flow_name}', not of '{now.name}'.")
        if run.code_hash != now.code_hash and not changed_code:
            raise ResumeError(
                f"The code of flow '{now.name}' is another one: '{run.name}' ran {run.entry_point} with "
                f"SHA-256 {run.code_hash[:12] or '(unknown)'}, {now.entry_point} has "
                f"{now.code_hash[:12] or '(unknown)'} now."
            )

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> "Flow[P, R]": ...
    @overload
    def __get__(
        self: "Flow[Concatenate[Any, Q], T]", instance: object, owner: type | None = None
    ) -> "Flow[Q, T]": ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        """The flow itself on the class; on an object the flow whose first argument is that object."""
        if instance is None:
            return self
        bound: Any = copy(self)
        bound.fn = MethodType(self._definition.function, instance)
        bound._signature = CallSignature(bound.fn)
        bound._definition = replace(self._definition, flow=bound, function=bound.fn)
        return bound

    def with_options(self, **options: Unpack[FlowOptions]) -> "Flow[P, R]":
        """The same flow with other options; takes what the decorator takes."""
        refuse_unknown(f"Flow '{self.name}'", options, FlowOptions.__annotations__)
        return type(self)(self.fn, **{**self._options, **options})

    @functools.cached_property
    def _validator(self) -> "parameters_module.ParameterValidator":
        return parameters_module.ParameterValidator(self._definition.function, self.name)

    async def _run_async(self, bound: dict[str, Any], *, return_state: bool) -> Any:
        upstream = _upstream(bound)
        for future, _, _ in upstream.edges:
            await future.wait_async()
        state = await run_flow_async(self._call(self._resolved(bound)))
        return state if return_state else state.result()

    def _resolved(self, bound: dict[str, Any]) -> dict[str, Any]:
        """The parameters with results where futures stood, waiting for them."""
        upstream = _upstream(bound)
        if not upstream.needs_putting:
            return bound
        for future, _, _ in upstream.edges:
            future.wait_here()
        return put((), bound, _result_of)[1]

    def _call(self, parameters: dict[str, Any]) -> FlowCall:
        refused = None
        if self._validates:
            try:
                parameters = self._validator.validate(parameters)
            except ParameterTypeError as error:
                refused = error
        args, kwargs = self._signature.unbind(parameters)
        return FlowCall(self._definition, args, kwargs, parameters, self.task_runner, refused)

    def __repr__(self) -> str:
        return f"Flow({self.name!r})"


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(**options: Unpack[FlowOptions]) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(fn: Callable[..., Any] | None = None, /, **options: Unpack[FlowOptions]) -> Any:
    """Make a flow of a function: ``@flow``, or ``@flow(task_runner=SequentialTaskRunner(), ...)``.

    Args:
        fn: the function, sync or async.
        **options: ``name``, ``version``, ``description``; ``flow_run_name`` (a template such as
            ``"load-{day}"``, or a function); ``task_runner`` (an instance or a class); ``retries``,
            ``retry_delay_seconds``; ``timeout_seconds``; ``validate_parameters``; ``log_prints``;
            ``persist_result``; ``on_running``, ``on_completion``, ``on_failure``, ``on_crashed``,
            ``on_cancellation``, each a list of ``hook(flow, flow_run, state)``.
    """
    refuse_unknown("@flow", options, FlowOptions.__annotations__)
    return Flow(fn, **options) if fn is not None else functools.partial(Flow, **options)


def _name_of(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    name: str = getattr(inner, "__name__", type(inner).__name__)
    return "lambda" if name == "<lambda>" else name.replace("_", "-")


def _entry_point(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = code.co_filename if code is not None else getattr(function, "__module__", "")
    return f"{place}:{getattr(function, '__qualname__', '')}"


def _checked_runner(runner: Any) -> BaseTaskRunner | None:
    if isinstance(runner, type) and issubclass(runner, BaseTaskRunner):
        return runner()
    if runner is None or isinstance(runner, BaseTaskRunner):
        return runner
    raise TypeError(f"task_runner must be a task runner or a class of them, not {runner!r}")


def _upstream(bound: dict[str, Any]) -> Upstream:
    upstream = Upstream()
    for name, value in bound.items():
        bound[name] = collect(upstream, name, value)
    return upstream


def _result_of(future: "PrefectFuture[Any]", failure_allowed: bool) -> Any:
    return future.get_state().result(raise_on_failure=not failure_allowed)
