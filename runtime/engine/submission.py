"""From a call of a task to a run on its way: its upstream, its record, and the place where it is run."""

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from typing import Any, cast

from runtime.context import (
    FLOW_RUN,
    TAGS,
    TASK_RUN,
    Environment,
    FlowRunContext,
    current_environment,
    may_await,
)
from runtime.engine.callers import Caller
from runtime.engine.lines import LINE
from runtime.engine.scopes import EarlierRun, FlowRunScope
from runtime.engine.task_runs import Place, TaskRunDriver, usable
from runtime.exceptions import MissingContext
from runtime.futures import PrefectFuture
from runtime.logging import TASK_RUNS, configure_console
from runtime.parameters import Upstream, collect
from runtime.runs import RunInput, TaskCall, TaskRun
from runtime.settings import current_settings
from runtime.states import State
from runtime.task_runners import TaskConcurrencyType


def submit_task(call: TaskCall, wait_for: Any = None) -> PrefectFuture[Any]:
    """Submit a task to the task runner of the flow around the caller."""
    context = FLOW_RUN.get()
    definition = call.definition
    if context is None:
        raise MissingContext(
            f"Task '{definition.name}' was submitted outside of a flow. Call it in a flow as "
            f"`{definition.name}.submit(...)`, or run it right here with `{definition.name}(...)`."
        )
    if context.scope is None:
        raise MissingContext(
            f"Task '{definition.name}' was submitted in a task that runs on a worker, where there is no task "
            f"runner. Run it right there with `{definition.name}(...)`, or submit it in the flow."
        )
    scope: FlowRunScope = context.scope
    runner = scope.runner
    kind = runner.concurrency_type
    if kind is not TaskConcurrencyType.SEQUENTIAL:
        on_loop = definition.is_async and kind is TaskConcurrencyType.CONCURRENT
        loop = (context.loop or runner.loop()) if on_loop else None
        driver = _driver(call, wait_for, runner, context, loop)
        if isinstance(driver, TaskRunDriver):
            _log(driver, "Submitting task run '%s' to task runner...")
            driver.begin()
            return driver.future
        return driver
    own_line = LINE.get()
    line = scope.line if own_line is None else own_line
    loop = asyncio._get_running_loop() if may_await() and (definition.is_async or line) else None
    in_line = loop is not None
    if not in_line and definition.is_async:
        loop = runner.loop()
    caller = Caller(context.environment)
    driver = _driver(call, wait_for, caller, context, loop)
    if isinstance(driver, TaskRunDriver):
        _log(driver, "Submitting task run '%s' to task runner...")
        driver.begin()
        if in_line:
            line.add(partial(_in_line, driver, caller, is_async=definition.is_async), copy_context())
        else:
            driver.see_through(caller)
        return driver.future
    return driver


def call_task(call: TaskCall, wait_for: Any = None) -> State:
    """Run a task here and now, on this thread."""
    context = FLOW_RUN.get()
    environment = context.environment if context is not None else current_environment()
    if not call.definition.is_async:
        return _call_here(call, wait_for, context, environment, None)
    if context is not None and context.scope is not None:
        return _call_here(call, wait_for, context, environment, context.scope.runner.loop())
    own_loop = environment.threads.start_loop("flows-loop")  # there is no task runner that has one
    try:
        return _call_here(call, wait_for, context, environment, own_loop.loop)
    finally:
        own_loop.stop()


async def call_task_async(call: TaskCall, wait_for: Any = None) -> State:
    """Run an async task here and now, on this event loop."""
    context = FLOW_RUN.get()
    environment = context.environment if context is not None else current_environment()
    caller = Caller(environment)
    driver = _driver(call, wait_for, caller, context, asyncio.get_running_loop())
    if isinstance(driver, TaskRunDriver):
        _log(driver, "Executing '%s' immediately...")
        driver.begin()
        return await driver.see_through_async(caller)
    return driver.get_state()


async def _in_line(driver: TaskRunDriver, caller: Caller, *, is_async: bool) -> None:
    if is_async:
        await driver.see_through_async(caller)
    else:
        driver.see_through(caller)


def _call_here(
    call: TaskCall,
    wait_for: Any,
    context: FlowRunContext | None,
    environment: Environment,
    loop: asyncio.AbstractEventLoop | None,
) -> State:
    caller = Caller(environment)
    driver = _driver(call, wait_for, caller, context, loop)
    if isinstance(driver, TaskRunDriver):
        _log(driver, "Executing '%s' immediately...")
        return driver.drive(caller)
    return driver.get_state()


def _driver(
    call: TaskCall,
    wait_for: Any,
    place: Place,
    context: FlowRunContext | None,
    loop: asyncio.AbstractEventLoop | None,
) -> TaskRunDriver | PrefectFuture[Any]:
    """A driver for the call; a settled future where the same run completed in an earlier run count.

    ``loop``: the event loop of this process without which no attempt can be made.
    """
    call, upstream, inputs = _with_upstream(call, wait_for)
    definition = call.definition
    asynchronous = definition.is_async and context is not None and may_await()
    around = TASK_RUN.get()
    submitter = around.task_run if around is not None else None
    scope: FlowRunScope | None = context.scope if context is not None else None
    n = 0
    if scope is not None:
        scope.check_open(f"Task '{definition.name}'", cast("FlowRunContext", context).run_count)
        place_of_task = f"{definition.name}-{definition.key}"
        n = scope.number(place_of_task, submitter)
        earlier = scope.earlier(place_of_task, submitter, n)
        if earlier is not None and earlier.state.is_completed():
            return _kept(earlier, scope, asynchronous=asynchronous)
    else:
        configure_console()
        earlier = None
    environment = context.environment if context is not None else current_environment()
    log_prints = definition.policy.log_prints
    if log_prints is None:
        log_prints = context.log_prints if context is not None else current_settings().log_prints
    return TaskRunDriver(
        call,
        upstream,
        cast("TaskRun", earlier.run)
        if earlier is not None
        else _task_run(call, n, context, environment, submitter, inputs),
        scope,
        environment,
        place,
        loop=loop,
        log_prints=log_prints,
        asynchronous=asynchronous,
    )


def _kept(earlier: EarlierRun, scope: FlowRunScope, *, asynchronous: bool) -> PrefectFuture[Any]:
    task_run = cast("TaskRun", earlier.run)
    scope.ended(task_run, earlier.state)
    future = PrefectFuture[Any](task_run, scope.journal, earlier.state, asynchronous=asynchronous)
    future.settle()
    return future


def _task_run(
    call: TaskCall,
    n: int,
    context: FlowRunContext | None,
    environment: Environment,
    submitter: TaskRun | None,
    inputs: tuple[RunInput, ...],
) -> TaskRun:
    definition = call.definition
    flow_run_id = context.flow_run.id if context is not None else None
    path = f"{definition.name}-{n}" if submitter is None else f"{submitter.short_name}/{definition.name}-{n}"
    title = definition.run_name
    if title is not None:
        parameters = definition.signature.bind(call.args, call.kwargs)
        title = title.format(**parameters) if isinstance(title, str) else title(parameters)
    tags = TAGS.get()
    return TaskRun(
        environment.identities.task_run_id(flow_run_id, path),
        definition.name,
        definition.key,
        n,
        flow_run_id,
        submitter,
        title,
        tuple(sorted(tags.union(definition.tags))) if tags else definition.tags,
        inputs,
    )


def _with_upstream(
    call: TaskCall, wait_for: Any
) -> tuple[TaskCall, list[tuple[PrefectFuture[Any], bool]], tuple[RunInput, ...]]:
    """The call as it is to be made, whom it has to wait for, and where its inputs come from."""
    found = Upstream()
    name_of = call.definition.signature.name_of
    args = tuple([collect(found, name_of(position), arg) for position, arg in enumerate(call.args)])
    kwargs = (
        {name: collect(found, name, arg) for name, arg in call.kwargs.items()} if call.kwargs else call.kwargs
    )
    if found.needs_putting or found.generators:
        call = TaskCall(call.definition, args, kwargs, has_references=True)
    edges = found.edges
    inputs = tuple([RunInput("data", name, future.task_run.id) for future, name, _ in edges]) if edges else ()
    if wait_for is not None:
        waited = _checked(wait_for)
        inputs += tuple(RunInput("wait_for", "", future.task_run.id) for future in waited)
        edges = edges + [(future, "", False) for future in waited]
    upstream: dict[int, tuple[PrefectFuture[Any], bool]] = {}
    for future, _, allowed in edges:
        if not (future.settled and usable(future.get_state(), allowed)):
            known = upstream.get(id(future))
            upstream[id(future)] = (future, allowed if known is None else allowed and known[1])
    return call, list(upstream.values()), inputs


def _checked(wait_for: Any) -> list[PrefectFuture[Any]]:
    if not isinstance(wait_for, list):
        raise TypeError(f"wait_for must be a list of futures, also for a single one, not {wait_for!r}")
    futures: list[PrefectFuture[Any]] = []
    for future in cast("list[object]", wait_for):
        if not isinstance(future, PrefectFuture):
            raise TypeError(f"wait_for must be a list of futures, but there is {future!r} in it")
        futures.append(cast("PrefectFuture[Any]", future))
    return futures


def _log(driver: TaskRunDriver, line: str) -> None:
    if TASK_RUNS.isEnabledFor(logging.INFO):
        TASK_RUNS.info(line, driver.future.task_run.name, extra=driver.log_extra())
