"""Moving one flow run: the same rules for sync and async flows, and a short driver for each."""

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, cast
from uuid import UUID

from runtime.clocks import Alarm
from runtime.context import (
    FLOW_RUN,
    TAGS,
    TASK_RUN,
    FlowRunContext,
    current_environment,
)
from runtime.engine.hearing import announce, enter, listeners
from runtime.engine.keeping import KeptFlowResult
from runtime.engine.lines import LINE
from runtime.engine.resuming import earlier_run
from runtime.engine.scopes import FlowRunScope
from runtime.exceptions import CancelledRun, CrashedRun
from runtime.futures import PrefectFuture
from runtime.history import FlowRunHistory, Journal, StateChange
from runtime.hooks import plugins
from runtime.interrupts import SignalsHeld, calls_out
from runtime.lifecycle import (
    AlarmRang,
    BodyRaised,
    BodyReturned,
    CancelRequested,
    ClearAlarm,
    FlowRunEvent,
    FlowRunLifecycle,
    ParametersRefused,
    Record,
    RunAttempt,
    SetAlarm,
    Settle,
    StopAttempt,
    Submitted,
    Tally,
    describe,
)
from runtime.logging import ENGINE, FLOW_RUNS, configure_console, prints_logged
from runtime.parameters import describe_parameters
from runtime.runs import FlowCall, FlowRun
from runtime.settings import current_settings
from runtime.states import Completed, State
from runtime.task_runners import BaseTaskRunner, TaskConcurrencyType
from runtime.threads import Guard, Interrupted
from runtime.waiting import LoopEvent, block


def run_flow(call: FlowCall) -> State:
    """Run a flow on this thread and return its final state.

    An exception that crashed the flow from outside of its code, such as an interrupt, is raised again.
    """
    with SignalsHeld():
        return FlowRunDriver(call).run()


async def run_flow_async(call: FlowCall) -> State:
    """Like :func:`run_flow`, for async flows on the running loop."""
    with SignalsHeld():
        return await FlowRunDriver(call).run_async()


def run_flow_on_loop(call: FlowCall) -> State:
    """Run an async flow for sync code: on the loop of the task runner around, while this thread waits."""
    context = FLOW_RUN.get()
    if context is None:
        raise RuntimeError("An async flow outside of any other flow is to be awaited")
    if context.scope is None:  # in a task on a worker, which has no task runner
        return asyncio.run(run_flow_async(call))
    loop: asyncio.AbstractEventLoop = context.scope.runner.loop()
    waiter = context.environment.clock.waiter()
    tasks: list[asyncio.Task[State]] = []

    def start() -> None:
        task = loop.create_task(run_flow_async(call))
        tasks.append(task)
        task.add_done_callback(lambda _: waiter.wake())

    loop.call_soon_threadsafe(start, context=copy_context())
    try:
        block(waiter)
    except BaseException:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
        raise
    return tasks[0].result()


def cancel_flow_run(flow_run_id: UUID) -> bool:
    """Cancel a flow run of this process, with all its tasks. False where no such run is under way."""
    driver = _under_way.get(flow_run_id)
    if driver is None:
        return False
    driver.dispatch(CancelRequested())
    return True


class FlowRunDriver:
    """One flow run on its way."""

    def __init__(self, call: FlowCall) -> None:
        definition = call.definition
        around = FLOW_RUN.get()
        self._call = call
        self._parent: FlowRunScope | None = around.scope if around is not None else None
        if around is not None and self._parent is not None:
            self._parent.check_open(f"Flow '{definition.name}'", around.run_count)
        runner = _chosen_runner(call)
        self._environment = (
            runner.brings_environment()
            or (around.environment if around is not None else None)
            or current_environment()
        )
        n, earlier = 0, None
        if self._parent is not None:
            self._journal = self._parent.journal
            n = self._parent.number(definition.name)
            earlier = self._parent.earlier(definition.name, None, n)
        else:
            resumed: FlowRunHistory | None = call.resumed
            self._journal = self._new_journal(tuple(resumed)[-1] if resumed is not None else None)
            earlier = earlier_run(resumed) if resumed is not None else None
        self._flow_run = self._new_flow_run(n) if earlier is None else cast("FlowRun", earlier.run)
        #: set where the same subflow completed before the parent was retried
        self._settled: State | None = (
            earlier.state if earlier is not None and earlier.state.is_completed() else None
        )
        self._scope = FlowRunScope(
            self._flow_run,
            self._environment,
            self._journal,
            runner,
            keeps_completed=definition.policy.retries > 0
            or (self._parent is not None and self._parent.keeps_completed),
            earlier=earlier,
        )
        log_prints = definition.policy.log_prints
        if log_prints is None:
            log_prints = around.log_prints if around is not None else current_settings().log_prints
        self._context = FlowRunContext(
            self._flow_run,
            self._environment,
            call.parameters,
            self._scope,
            is_async=definition.is_async,
            log_prints=log_prints,
        )
        self._lifecycle = FlowRunLifecycle(
            definition.policy,
            partial(self._environment.identities.fraction, self._flow_run.id),
            first=self._scope.run_count,
        )
        self._kept = KeptFlowResult(call, self._flow_run)
        self._alarm: Alarm | None = None
        #: how long tasks that were told to stop may take, and what ends that time
        self._grace = current_settings().interrupt_grace
        self._grace_alarm: Alarm | None = None
        self._opened = False
        #: whether the function is to be called
        self._due = False
        #: whether the call under way was told to stop, and what tells it
        self._stopped = False
        self._stop: Callable[[], object] = _nothing
        self._wake: Callable[[], object] = _nothing

    def run(self) -> State:
        """See the flow run through on this thread. The sync driver."""
        if self._settled is not None:
            return self._settled
        self._begin()
        try:
            self._submit()
            self._journal.commit(self._flow_run)
            with ExitStack() as open_runner:
                while self._settled is None:
                    if self._due:
                        self.dispatch(self._attempt(open_runner))
                    else:
                        self._wait(lambda: self._due or self._settled is not None)
        except BaseException as error:  # an interrupt outside of the flow's own code
            self._give_up(error)
        self._end()
        self._journal.commit(self._flow_run)
        return self._final()

    async def run_async(self) -> State:
        """See the flow run through on the running loop. The async driver."""
        if self._settled is not None:
            return self._settled
        self._context.loop = asyncio.get_running_loop()
        self._begin()
        try:
            self._submit()
            await self._journal.commit_async(self._flow_run)
            open_runner = ExitStack()
            try:
                while self._settled is None:
                    if self._due:
                        self.dispatch(await self._attempt_async(open_runner))
                    else:
                        event = LoopEvent()
                        self._wake = event.set
                        if not self._due and self._settled is None:
                            await event.wait()
            finally:
                await self._off_loop(open_runner.close)
        except BaseException as error:  # cancelled outside of the flow's own code
            self._give_up(error)
        self._end()
        await self._journal.commit_async(self._flow_run)
        return self._final()

    def dispatch(self, event: FlowRunEvent) -> None:
        """Let the run hear of something, and do what follows. May be called on any thread."""
        journal = self._journal
        changes: list[tuple[StateChange, State]] = []
        settled: State | None = None
        with journal.lock:
            commands = self._lifecycle.handle(event, journal.clock.time())
            for command in commands:
                if isinstance(command, Record):
                    count = self._lifecycle.run_count
                    change = journal.write(self._flow_run, command.state, count, count)
                    changes.append((change, command.state))
                elif isinstance(command, SetAlarm):
                    moment = journal.clock.monotonic() + command.delay
                    self._alarm = journal.clock.call_at(
                        moment, partial(self.dispatch, AlarmRang(command.attempt))
                    )
                elif isinstance(command, ClearAlarm) and self._alarm is not None:
                    self._alarm.cancel()
                    self._alarm = None
                elif isinstance(command, Settle):
                    settled = command.state
                elif isinstance(command, RunAttempt):
                    self._scope.again(command.number)
                    self._context = self._context.again(command.number)
                    self._due = True
        definition = self._call.definition
        if journal.listeners or definition.hooks:
            for change, state in changes:
                announce(change, state, journal.listeners, definition.hooks, definition.flow)
        if any(isinstance(command, StopAttempt) for command in commands):
            self._stopped = True
            self._stop_tasks("was stopped")
            self._stop()
        if settled is not None:
            self._settled = settled
        self._wake()

    def _begin(self) -> None:
        configure_console()
        _under_way[self._flow_run.id] = self
        if self._journal.store is not None:
            self._journal.store.begin(self._flow_run, self._stop_from_store)
        kind = "flow" if self._parent is None else "subflow"
        self._log(
            f"Beginning {kind} run '%s' for flow '%s'...", self._flow_run.name, self._flow_run.flow_name
        )

    def _submit(self) -> None:
        self.dispatch(Submitted() if self._call.refused is None else ParametersRefused(self._call.refused))

    def _stop_from_store(self) -> None:
        if self._lifecycle.state is not None:  # else nothing has begun, and nothing will
            self.dispatch(CancelRequested())

    def _end(self) -> None:
        del _under_way[self._flow_run.id]
        self._end_grace()  # it was told to stop before its function was called
        state = self._final_state()
        kind = "Flow" if self._parent is None else "Subflow"
        self._log(f"{kind} run '%s' finished in state %s", self._flow_run.name, state)
        if self._parent is not None:
            self._parent.subflow_ended(self._scope, state)

    def _final_state(self) -> State:
        if self._settled is None:
            raise AssertionError(f"Flow run '{self._flow_run.name}' ended without a final state")
        return self._settled

    def _final(self) -> State:
        """The final state; raises what crashed the flow from outside of its code."""
        state = self._final_state()
        if (
            state.is_crashed()
            and isinstance(state.data, BaseException)
            and not isinstance(state.data, Exception)
        ):
            raise state.data
        return state

    def _give_up(self, error: BaseException) -> None:
        if self._settled is None:
            self._scope.abandon(f"flow run '{self._flow_run.name}' crashed.")
            self.dispatch(BodyRaised(error))
            if self._settled is None:  # it would retry; after an interrupt nobody is there to do so
                self.dispatch(CancelRequested())
        elif isinstance(error, Exception):
            ENGINE.error(
                "Task runner of flow run '%s' did not shut down", self._flow_run.name, exc_info=error
            )
        else:
            raise error

    def _attempt(self, open_runner: ExitStack) -> FlowRunEvent:
        self._due = False
        self._stopped = False
        found = self._found()
        if found is not None:
            return found
        try:
            self._open_once(open_runner)
        except Exception as error:  # a task runner may raise anything
            return BodyRaised(_not_started(self._scope.runner, error))
        guard = self._environment.threads.guard()
        self._stop = guard.interrupt
        if self._call.definition.policy.timeout is None:
            outcome = self._call_function(guard)
        else:
            outcome = self._call_beside(guard)
        try:
            if _aborts(outcome):
                self._stop_tasks("is ending")
            self._scope.mend()
            self._scope.wait()
        except BaseException as error:  # an interrupt while waiting for the tasks
            self._scope.abandon(f"flow run '{self._flow_run.name}' was interrupted.")
            outcome = BodyRaised(error)
        return self._weighed(outcome)

    async def _attempt_async(self, open_runner: ExitStack) -> FlowRunEvent:
        self._due = False
        self._stopped = False
        found = self._found()
        if found is not None:
            return found
        try:
            await self._off_loop(partial(self._open_once, open_runner))
        except Exception as error:  # a task runner may raise anything
            return BodyRaised(_not_started(self._scope.runner, error))
        loop = asyncio.get_running_loop()
        context = copy_context()
        context.run(self._enter)
        function = loop.create_task(self._call_function_async(), context=context)
        self._stop = lambda: loop.call_soon_threadsafe(function.cancel)
        try:
            outcome = await function
            if _aborts(outcome):
                self._stop_tasks("is ending")
            self._scope.mend()
            await self._scope.wait_async()
        except BaseException as error:  # cancelled while waiting for the tasks
            self._scope.abandon(f"flow run '{self._flow_run.name}' was interrupted.")
            outcome = BodyRaised(error)
        return self._weighed(outcome)

    def _stop_tasks(self, why: str) -> None:
        """Tell all tasks to stop, and leave those behind that have not after the time of grace."""
        count = self._scope.run_count
        self._scope.cancel(f"flow run '{self._flow_run.name}' {why}.")
        if self._grace_alarm is None:
            clock = self._journal.clock
            self._grace_alarm = clock.call_at(
                clock.monotonic() + self._grace, lambda: self._leave_tasks(count)
            )

    def _leave_tasks(self, run_count: int) -> None:
        if run_count == self._scope.run_count:
            self._scope.abandon(f"flow run '{self._flow_run.name}' has ended.")

    def _call_function(self, guard: Guard) -> "_Outcome":
        return copy_context().run(self._call_here, guard)

    def _call_here(self, guard: Guard) -> "_Outcome":
        self._enter()
        call = self._call
        try:
            return _Returned(guard.call(call.definition.function, call.args, call.kwargs))
        except Interrupted:
            return BodyRaised(CancelledRun("Flow run was stopped."))
        except BaseException as error:  # every one is an outcome
            return BodyRaised(error)

    def _call_beside(self, guard: Guard) -> "_Outcome":
        """Call the function on a thread of its own, which is left behind where it does not stop."""
        outcomes: list[_Outcome] = []

        def call() -> None:
            outcomes.append(context.run(self._call_here, guard))
            self._wake()

        context = copy_context()
        self._environment.threads.start(call, f"flows-{self._flow_run.name}")
        try:
            self._wait(lambda: bool(outcomes) or self._stopped)
        except BaseException as error:  # an interrupt of the thread that waits
            guard.interrupt()
            return BodyRaised(error)
        return outcomes[0] if outcomes else BodyRaised(CancelledRun("Flow run was stopped."))

    @calls_out
    async def _call_function_async(self) -> "_Outcome":
        call = self._call
        try:
            return _Returned(await call.definition.function(*call.args, **call.kwargs))
        except BaseException as error:  # every one is an outcome
            return BodyRaised(error)

    def _enter(self) -> None:
        FLOW_RUN.set(self._context)
        TASK_RUN.set(None)
        LINE.set(None)
        enter(self._flow_run)

    def _open_once(self, open_runner: ExitStack) -> None:
        if not self._opened:
            self._opened = True
            if self._context.log_prints:
                open_runner.enter_context(prints_logged())
            open_runner.enter_context(self._running(self._scope.runner))

    @contextmanager
    def _running(self, runner: BaseTaskRunner) -> Generator[None]:
        self._log("Starting task runner `%s`...", runner.name)
        with runner.start(self._environment):
            try:
                yield
            finally:
                self._log("Shutting down task runner `%s`...", runner.name)

    async def _off_loop(self, do: Callable[[], object]) -> None:
        """Do something that may take long: not on the loop, where the runner is a whole cluster."""
        if self._scope.runner.concurrency_type is TaskConcurrencyType.PARALLEL:
            await asyncio.to_thread(do)
        else:
            do()

    def _wait(self, over: Callable[[], bool]) -> None:
        while not over():
            waiter = self._environment.clock.waiter()
            self._wake = waiter.wake
            if not over():
                block(waiter)

    def _weighed(self, outcome: "_Outcome") -> FlowRunEvent:
        self._end_grace()
        if isinstance(outcome, BodyRaised):
            return outcome
        conclusion = self._conclusion(outcome.value)
        self._kept.keep(outcome.value, conclusion)
        return BodyReturned(conclusion)

    def _found(self) -> FlowRunEvent | None:
        """What the function returned in an earlier process, where that was kept."""
        if self._scope.run_count == 1:
            return None
        try:
            return self._kept.found(self._journal.clock.time())
        except Exception as error:  # the storage cannot be reached
            return BodyRaised(error)

    def _end_grace(self) -> None:
        if self._grace_alarm is not None:
            self._grace_alarm.cancel()
            self._grace_alarm = None

    def _conclusion(self, value: Any) -> State:
        """The state that a returned value amounts to."""
        if value is None:
            return self._scope.tally.conclude()
        if isinstance(value, State) and value.is_final() and not value.at:
            return value  # made by hand
        if isinstance(value, State | PrefectFuture):
            state = _state_of(cast("State | PrefectFuture[Any]", value))
            return Tally.of([state]).conclude(state)
        if isinstance(value, list | tuple | set | frozenset) and value:
            items = list(cast("Iterable[object]", value))
            if all(isinstance(item, State | PrefectFuture) for item in items):
                states = [_state_of(cast("State | PrefectFuture[Any]", item)) for item in items]
                return Tally.of(states).conclude(states)
        return Completed(data=value)

    def _new_journal(self, after: StateChange | None) -> Journal:
        environment = self._environment
        lock = environment.threads.lock()
        return Journal(environment.clock, environment.store, lock, listeners(), after)

    def _new_flow_run(self, n: int) -> FlowRun:
        definition = self._call.definition
        parent = self._parent.flow_run if self._parent is not None else None
        identities = self._environment.identities
        run_id = identities.flow_run_id(parent.id if parent is not None else None, definition.name, n)
        name = definition.run_name
        if name is None:
            name = identities.flow_run_name(run_id)
        else:
            name = (
                name.format(**self._call.parameters) if isinstance(name, str) else name(self._call.parameters)
            )
        return FlowRun(
            id=run_id,
            name=name,
            flow_name=definition.name,
            n=n,
            flow_version=definition.version,
            parent_id=parent.id if parent is not None else None,
            entry_point=definition.entry_point,
            parameters=describe_parameters(self._call.parameters),
            code_hash=definition.code_hash,
            created=self._environment.clock.time(),
            tags=tuple(sorted(TAGS.get())),
        )

    def _log(self, line: str, *values: object) -> None:
        if FLOW_RUNS.isEnabledFor(logging.INFO):
            extra = {"flow_run_name": self._flow_run.name, "flow_run_id": str(self._flow_run.id)}
            FLOW_RUNS.info(line, *values, extra=extra)


class _Returned:
    """A flow's function returned; what that amounts to is known once its tasks have settled."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


_Outcome = _Returned | BodyRaised


def _chosen_runner(call: FlowCall) -> BaseTaskRunner:
    declared: BaseTaskRunner = call.task_runner
    select = plugins().hook.flows_select_task_runner
    if select.get_hookimpls():
        chosen = select(flow=call.definition.name, declared=declared)
        if chosen is not None:
            return chosen.duplicate()
    return declared.duplicate()


def _aborts(outcome: _Outcome) -> bool:
    """Whether the flow was told to end from outside of its code."""
    return isinstance(outcome, BodyRaised) and not isinstance(outcome.exception, Exception)


def _not_started(runner: BaseTaskRunner, error: Exception) -> CrashedRun:
    root = error
    while isinstance(root.__cause__, Exception):
        root = root.__cause__
    because = f" ({type(root).__name__}: {describe(root)})" if root is not error else ""
    crash = CrashedRun(f"The task runner {runner.name} could not start: {describe(error)}{because}")
    crash.__cause__ = error
    return crash


def _state_of(item: "State | PrefectFuture[Any]") -> State:
    return item.get_state() if isinstance(item, PrefectFuture) else item


def _nothing() -> None:
    return None


_under_way: dict[UUID, FlowRunDriver] = {}
