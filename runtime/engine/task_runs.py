"""Moving one task run: its lifecycle says what is to be done, and here it is done."""

import asyncio
import logging
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol, cast

from runtime.clocks import Alarm
from runtime.context import FLOW_RUN, TAGS, TASK_RUN, Environment, FlowRunContext, current_environment
from runtime.engine.callers import Caller
from runtime.engine.hearing import announce
from runtime.engine.scopes import EarlierRun, FlowRunScope
from runtime.envelope import Attempt
from runtime.exceptions import CancelledRun, MissingContext
from runtime.futures import PrefectFuture
from runtime.history import Journal, StateChange
from runtime.lifecycle import (
    AlarmRang,
    CancelRequested,
    ClearAlarm,
    Lost,
    Record,
    Refused,
    RunAttempt,
    SetAlarm,
    Settle,
    Started,
    StopAttempt,
    Submitted,
    TaskRunEvent,
    TaskRunLifecycle,
    UpstreamSettled,
    describe,
)
from runtime.logging import ENGINE, TASK_RUNS, configure_console
from runtime.parameters import Upstream, collect
from runtime.runs import RunInput, TaskCall, TaskRun
from runtime.settings import current_settings
from runtime.states import Pending, State
from runtime.task_runners import TaskConcurrencyType


class Place(Protocol):
    """Where attempts are made: a task runner, or the caller."""

    def submit(self, attempt: Attempt) -> None:
        """See to it that the attempt is made."""

    def stop(self, attempt: Attempt) -> None:
        """End the attempt."""


class Follower:
    """A run that waits for an upstream to settle."""

    __slots__ = ("allowed", "driver", "position")

    def __init__(self, driver: "TaskRunDriver", position: int, allowed: bool) -> None:  # noqa: FBT001
        self.driver = driver
        self.position = position
        self.allowed = allowed

    def event(self, upstream: PrefectFuture[Any]) -> UpstreamSettled:
        """What the run is to hear."""
        return UpstreamSettled(self.position, upstream.task_run.id, _usable(upstream.get_state(), self.allowed))

    def __call__(self, upstream: PrefectFuture[Any]) -> None:
        self.driver.dispatch(self.event(upstream))


class TaskRunDriver:
    """One task run on its way, from submission until it settles."""

    __slots__ = (
        "_alarm",
        "_attempt",
        "_call",
        "_context",
        "_environment",
        "_followed",
        "_is_async",
        "_journal",
        "_lifecycle",
        "_log_prints",
        "_loop",
        "_place",
        "_run_count",
        "_scope",
        "_task_run",
        "_turns_on",
        "_upstream",
        "_worker",
        "future",
    )

    def __init__(
        self,
        call: TaskCall,
        upstream: list[tuple[PrefectFuture[Any], bool]],
        task_run: TaskRun,
        scope: FlowRunScope | None,
        environment: Environment,
        place: Place,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        in_line: bool = False,
        log_prints: bool = False,
        asynchronous: bool = False,
    ) -> None:
        self._call = call
        self._upstream = upstream
        self._task_run = task_run
        self._scope = scope
        self._environment = environment
        self._place = place
        #: the loop of the async flow that the run belongs to
        self._loop = loop
        #: the loop without which no attempt can be made
        self._turns_on = loop if call.definition.is_async or in_line else None
        self._log_prints = log_prints
        self._journal = scope.journal if scope is not None else Journal(environment.clock, None)
        self._run_count = scope.run_count if scope is not None else 1
        self._context = copy_context()
        policy = call.definition.policy
        self._lifecycle = TaskRunLifecycle(policy, partial(environment.identities.fraction, task_run.id))
        self._alarm: Alarm | None = None
        self._attempt: Attempt | None = None
        self._worker: str | None = None
        self.future: PrefectFuture[Any] = PrefectFuture(
            task_run, self._journal, _UNBORN, asynchronous=asynchronous
        )

    def begin(self) -> None:
        """Submit the run. Returns when it is on its way, not when it settles."""
        if self._scope is not None:
            self._scope.began(self)
        self.future.attach(self)
        upstream = self._upstream
        if not upstream:
            self.dispatch(Submitted())
            return
        self.dispatch(Submitted(len(upstream)))
        for position, (future, allowed) in enumerate(upstream):
            follower = Follower(self, position, allowed)
            if not future.when_settled(follower):
                follower(future)

    def drive(self, caller: Caller) -> State:
        """Submit the run and see it through on this thread."""
        self.begin()
        return self.see_through(caller)

    def see_through(self, caller: Caller) -> State:
        """Make on this thread whatever attempts the run asks for, until it settles. The sync driver."""
        future = self.future
        try:
            while not future.settled:
                if not caller.make_one():
                    future.refuse_deadlock()
                    future.when_settled(caller.wake)
                    caller.wait(self._is_settled)
        except BaseException:  # an interrupt while waiting: nobody is left to make attempts
            self.abandon()
            raise
        return future.get_state()

    async def see_through_async(self, caller: Caller) -> State:
        """Make on this loop whatever attempts the run asks for, until it settles. The async driver."""
        future = self.future
        try:
            while not future.settled:
                if not await caller.make_one_async():
                    future.when_settled(caller.wake)
                    await caller.wait_async(self._is_settled)
        except BaseException:  # cancelled while waiting: nobody is left to make attempts
            self.abandon()
            raise
        return future.get_state()

    def dispatch(self, event: TaskRunEvent) -> None:
        """Let the run hear of something, and do what follows, in this run and those downstream.

        A list of work rather than recursion: a chain of ten thousand runs may fail at once.
        """
        followed = self._hear(event)
        if followed:
            agenda = deque([(follower, self.future) for follower in followed])
            while agenda:
                follower, upstream = agenda.popleft()
                driver = follower.driver
                agenda.extend((f, driver.future) for f in driver._hear(follower.event(upstream)))  # noqa: SLF001

    def report(self, event: TaskRunEvent) -> bool:
        """What an attempt has to say. False: it is not wanted any more."""
        if type(event) is Started:
            self.dispatch(event)
            return self._lifecycle.awaits(event.attempt)
        self.dispatch(event)
        return False

    def cancel(self) -> None:
        """Ask the run to end."""
        self.dispatch(CancelRequested())

    def abandon(self) -> None:
        """Settle the run, whatever its attempt still does."""
        self.cancel()
        self.dispatch(Lost(self._lifecycle.attempt, "Execution was left behind: it did not stop when told to."))

    def needs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the run can only settle if this event loop turns."""
        return self._turns_on is loop or any(future.needs(loop) for future, _ in self._upstream)

    def _is_settled(self) -> bool:
        return self.future.settled

    def _hear(self, event: TaskRunEvent) -> "list[Follower]":
        journal = self._journal
        changes: list[StateChange] = []
        settled: State | None = None
        with journal.lock:
            commands = self._lifecycle.handle(event, journal.clock.time())
            if not commands:
                return _NOBODY
            if type(event) is Started:
                self._worker = event.worker
            for command in commands:
                if isinstance(command, Record):
                    changes.append(self._record(command.state))
                elif isinstance(command, SetAlarm):
                    self._set_alarm(command)
                elif isinstance(command, ClearAlarm) and self._alarm is not None:
                    self._alarm.cancel()
                    self._alarm = None
        definition = self._call.definition
        if journal.listeners or definition.hooks:
            for change in changes:
                announce(change, self.future.get_state(), journal.listeners, definition.hooks, definition.task)
        for command in commands:
            if isinstance(command, RunAttempt):
                self._run_attempt(command.number)
            elif isinstance(command, StopAttempt):
                self._stop_attempt()
            elif isinstance(command, Settle):
                settled = command.state
        return _NOBODY if settled is None else self._settle(settled)

    def _record(self, state: State) -> StateChange:
        self.future.enter(state)
        return self._journal.write(
            self._task_run, state, self._lifecycle.attempt, self._run_count, self._worker
        )

    def _set_alarm(self, command: SetAlarm) -> None:
        clock = self._journal.clock
        moment = clock.monotonic() + command.delay
        self._alarm = clock.call_at(moment, partial(self.dispatch, AlarmRang(command.attempt)))

    def _run_attempt(self, number: int) -> None:
        self._attempt = attempt = Attempt(
            self._call,
            number,
            self._run_count,
            self._task_run,
            self.report,
            self._context.copy(),
            self._journal.clock,
            self._environment.threads,
            self._loop,
            log_prints=self._log_prints,
        )
        try:
            self._place.submit(attempt)
        except Exception as error:  # noqa: BLE001 - a task runner may raise anything
            message = f"The task runner could not take the task run: {describe(error)}"
            self.dispatch(Refused(number, message, error))

    def _stop_attempt(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.stopping = True
            self._place.stop(attempt)

    def _settle(self, state: State) -> "list[Follower]":
        if TASK_RUNS.isEnabledFor(logging.INFO):
            TASK_RUNS.info("Task run '%s' finished in state %s", self._task_run.name, state, extra=self.log_extra())
        with self._journal.lock:
            callbacks = self.future.settle()
            if self._scope is not None:
                self._scope.ended(self._task_run, state)
        self._attempt = None
        self._upstream = []
        followers: list[Follower] = []
        for callback in callbacks:
            if type(callback) is Follower:
                followers.append(callback)
                continue
            try:
                callback(self.future)
            except Exception:
                ENGINE.exception("A callback of task run '%s' raised", self._task_run.name)
        return followers

    def log_extra(self) -> dict[str, str]:
        """What log records about the run carry."""
        extra = {"task_run_name": self._task_run.name, "task_run_id": str(self._task_run.id)}
        if self._scope is not None:
            extra["flow_run_name"] = self._scope.flow_run.name
        return extra


def submit_task(call: TaskCall, wait_for: Any = None) -> PrefectFuture[Any]:
    """Submit a task to the task runner of the flow around the caller."""
    context = FLOW_RUN.get()
    definition = call.definition
    if context is None:
        raise MissingContext(
            f"Task '{definition.name}' was submitted outside of a flow. Call it in a flow as "
            f"`{definition.name}.submit(...)`, or run it right here with `{definition.name}(...)`."
        )
    scope: FlowRunScope = context.scope
    runner = scope.runner
    if runner.concurrency_type is not TaskConcurrencyType.SEQUENTIAL:
        driver = _driver(call, wait_for, runner, context)
        if isinstance(driver, TaskRunDriver):
            _log(driver, "Submitting task run '%s' to task runner...")
            driver.begin()
            return driver.future
        return driver
    in_line = context.loop is not None and (definition.is_async or bool(scope.line))
    caller = Caller(context.environment, None if in_line else runner.loop)
    driver = _driver(call, wait_for, caller, context, in_line=in_line)
    if isinstance(driver, TaskRunDriver):
        _log(driver, "Submitting task run '%s' to task runner...")
        driver.begin()
        if in_line:
            scope.line.add(partial(_in_line, driver, caller, is_async=definition.is_async), copy_context())
        else:
            driver.see_through(caller)
        return driver.future
    return driver


def call_task(call: TaskCall, wait_for: Any = None) -> State:
    """Run a task here and now, on this thread."""
    context = FLOW_RUN.get()
    environment = context.environment if context is not None else current_environment()
    caller = Caller(environment, context.scope.runner.loop if context is not None else None)
    driver = _driver(call, wait_for, caller, context)
    if isinstance(driver, TaskRunDriver):
        _log(driver, "Executing '%s' immediately...")
        return driver.drive(caller)
    return driver.get_state()


async def call_task_async(call: TaskCall, wait_for: Any = None) -> State:
    """Run an async task here and now, on this event loop."""
    context = FLOW_RUN.get()
    environment = context.environment if context is not None else current_environment()
    caller = Caller(environment)
    driver = _driver(call, wait_for, caller, context)
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


def _driver(
    call: TaskCall, wait_for: Any, place: Place, context: FlowRunContext | None, *, in_line: bool = False
) -> TaskRunDriver | PrefectFuture[Any]:
    """A driver for the call; a settled future where the same run completed in an earlier run count."""
    call, upstream, inputs = _with_upstream(call, wait_for)
    definition = call.definition
    around = TASK_RUN.get()
    submitter = around.task_run if around is not None else None
    scope: FlowRunScope | None = context.scope if context is not None else None
    n = 0
    if scope is not None:
        if scope.closed is not None:
            raise CancelledRun(f"Task '{definition.name}' is not run any more: {scope.closed}")
        place_of_task = f"{definition.name}-{definition.key}"
        n = scope.number(place_of_task, submitter)
        earlier = scope.earlier(place_of_task, submitter, n)
        if earlier is not None and earlier.state.is_completed():
            return _kept(earlier, scope)
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
        cast("TaskRun", earlier.run) if earlier is not None else _task_run(call, n, context, environment, submitter, inputs),
        scope,
        environment,
        place,
        loop=context.loop if context is not None else None,
        in_line=in_line,
        log_prints=log_prints,
        asynchronous=definition.is_async and context is not None and context.is_async,
    )


def _kept(earlier: EarlierRun, scope: FlowRunScope) -> PrefectFuture[Any]:
    task_run = cast("TaskRun", earlier.run)
    scope.ended(task_run, earlier.state)
    future = PrefectFuture[Any](task_run, scope.journal, earlier.state)
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
    kwargs = {name: collect(found, name, arg) for name, arg in call.kwargs.items()} if call.kwargs else call.kwargs
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
        if not (future.settled and _usable(future.get_state(), allowed)):
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


def _usable(state: State, failure_allowed: bool) -> bool:  # noqa: FBT001
    return state.is_completed() or (failure_allowed and state.is_final())


def _log(driver: TaskRunDriver, line: str) -> None:
    if TASK_RUNS.isEnabledFor(logging.INFO):
        TASK_RUNS.info(line, driver.future.task_run.name, extra=driver.log_extra())


_NOBODY: list[Follower] = []
_UNBORN = Pending("The run is about to be submitted.")
