"""One attempt, run where the task runs: it calls the function and reports what came of it.

Whatever the function does, exactly one outcome is reported: an exception of any class is an outcome,
never something that goes on up into a task runner.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import Context
from typing import Any

from runtime.caching import cache_key, cached, keep, persist, persists, result_key
from runtime.clocks import Clock
from runtime.context import TASK_RUN, TaskRunContext
from runtime.futures import PrefectFuture
from runtime.interrupts import calls_out
from runtime.lifecycle import Raised, Returned, Started, Stopped, TaskRunEvent
from runtime.logging import prints_logged
from runtime.parameters import put
from runtime.runs import TaskCall, TaskRun
from runtime.states import Failed, State
from runtime.threads import Guard, Interrupted, Threads

#: Tells the driver; False: the attempt is not wanted any more, do not go on.
Report = Callable[[TaskRunEvent], bool]


class Attempt:
    """One attempt of a task run, as a task runner gets it.

    A runner in this process calls :meth:`run` on a thread or awaits :meth:`run_async`, once. One that
    runs it elsewhere sends ``call`` there and reports by itself.
    """

    __slots__ = (
        "call",
        "clock",
        "context",
        "guard",
        "handle",
        "log_prints",
        "loop",
        "number",
        "report",
        "run_count",
        "stopping",
        "task_run",
    )

    def __init__(
        self,
        call: TaskCall,
        number: int,
        run_count: int,
        task_run: TaskRun,
        report: Report,
        context: Context,
        clock: Clock,
        threads: Threads,
        loop: asyncio.AbstractEventLoop | None,
        *,
        log_prints: bool,
    ) -> None:
        self.call = call
        #: counted from 1
        self.number = number
        self.run_count = run_count
        self.task_run = task_run
        self.report = report
        #: the submitter's context variables
        self.context = context
        self.clock = clock
        #: what can stop :meth:`run`; an async attempt is stopped by its loop
        self.guard: Guard | None = None if call.definition.is_async else threads.guard()
        #: the task runner's own note about the attempt
        self.handle: Any = None
        #: the loop of an async flow; None: the runner's own
        self.loop = loop
        self.log_prints = log_prints
        #: whether somebody asked the runner to stop it
        self.stopping = False

    def run(self, worker: str) -> TaskRunEvent:
        """Make the attempt, here and now; returns what was reported of it."""
        with prints_logged() if self.log_prints else nullcontext():
            outcome = self.context.run(self._outcome, worker)
            self.report(outcome)
            return outcome

    async def run_async(self, worker: str) -> None:
        """Make the attempt of an async task. The caller sees to it that ``context`` is the current one."""
        with prints_logged() if self.log_prints else nullcontext():
            self.report(await self._outcome_async(worker))

    def _outcome(self, worker: str) -> TaskRunEvent:
        try:
            prepared = self._prepare(worker)
            if not isinstance(prepared, _Prepared):
                return prepared
            if not self.report(Started(self.number, worker)):
                return Stopped(self.number)
            if self.guard is None:
                raise RuntimeError("An async task's attempt is awaited, by run_async()")
            value = self.guard.call(self.call.definition.function, prepared.args, prepared.kwargs)
            return self._returned(prepared, value)
        except Interrupted:
            return Stopped(self.number)
        except BaseException as error:  # every one is an outcome
            return self._raised(error)

    @calls_out
    async def _outcome_async(self, worker: str) -> TaskRunEvent:
        around = TASK_RUN.get()
        try:
            prepared = self._prepare(worker)
            if not isinstance(prepared, _Prepared):
                return prepared
            if not self.report(Started(self.number, worker)):
                return Stopped(self.number)
            value = await self.call.definition.function(*prepared.args, **prepared.kwargs)
            return self._returned(prepared, value)
        except BaseException as error:  # every one is an outcome
            if self.stopping and isinstance(error, asyncio.CancelledError):
                return Stopped(self.number)
            return self._raised(error)
        finally:
            TASK_RUN.set(around)

    def _prepare(self, worker: str) -> "_Prepared | TaskRunEvent":
        """Everything before the call; an outcome where it need not be made."""
        call, policy = self.call, self.call.definition.policy
        args, kwargs = call.args, call.kwargs
        if call.has_references:
            args, kwargs = put(args, kwargs, _value_of)
        context = TaskRunContext(
            self.task_run,
            call.definition.task,
            self.number,
            self.run_count,
            worker,
            args,
            kwargs,
            call.definition.signature,
            is_async=self.guard is None,
            log_prints=self.log_prints,
        )
        TASK_RUN.set(context)
        own_key = None
        if self.task_run.flow_run_id is not None and persists(policy):
            own_key = result_key(self.task_run, context.parameters, call.definition.code_hash)
            if own_key is not None and self.run_count > 1:
                found = cached(own_key, self.clock.time())
                if found is not None:
                    return Returned(self.number, found.value, cached=True)
        key = None
        if policy.cache_key_fn is not None:
            key = cache_key(policy, context, context.parameters)
            if key is not None and not policy.refresh_cache:
                found = cached(key, self.clock.time())
                if found is not None:
                    return Returned(self.number, found.value, cached=True)
        return _Prepared(args, kwargs, key, own_key)

    def _returned(self, prepared: "_Prepared", value: Any) -> TaskRunEvent:
        if isinstance(value, State):
            return Returned(self.number, value, retriable=not value.is_failed() or self._is_retriable(value))
        if prepared.cache_key is not None:
            keep(prepared.cache_key, value, self.call.definition.policy, self.clock.time())
        if prepared.result_key is not None:
            persist(prepared.result_key, value)  # before anybody hears that the run has completed
        return Returned(self.number, value)

    def _raised(self, error: BaseException) -> TaskRunEvent:
        if not isinstance(error, Exception):
            return Raised(self.number, error)
        failed = Failed("Task run encountered an exception.", data=error, at=self.clock.time())
        try:
            return Raised(self.number, error, self._is_retriable(failed))
        except BaseException as broken:  # the user's condition may raise anything
            return Raised(self.number, broken, retriable=False)

    def _is_retriable(self, failed: State) -> bool:
        definition = self.call.definition
        condition = definition.policy.retry_condition_fn
        return condition is None or bool(condition(definition.task, self.task_run, failed))


class _Prepared:
    __slots__ = ("args", "cache_key", "kwargs", "result_key")

    def __init__(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], cache_key: str | None, result_key: str | None
    ) -> None:
        self.args = args
        self.kwargs = kwargs
        self.cache_key = cache_key
        self.result_key = result_key


def _value_of(future: "PrefectFuture[Any]", failure_allowed: bool) -> Any:
    return future.get_state().result(raise_on_failure=not failure_allowed)
