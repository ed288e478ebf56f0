"""Moving one task run: its lifecycle says what is to be done, and here it is done."""

import asyncio
import logging
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from runtime.clocks import Alarm
from runtime.context import Environment
from runtime.engine.callers import Caller
from runtime.engine.hearing import announce, call_back, enter
from runtime.engine.scopes import FlowRunScope
from runtime.envelope import Attempt
from runtime.exceptions import CrashedRun, WouldDeadlock
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
from runtime.logging import TASK_RUNS
from runtime.runs import TaskCall, TaskRun
from runtime.states import Crashed, Pending, State


class Place(Protocol):
    """Where attempts are made: a task runner, or the caller."""

    def submit(self, attempt: Attempt) -> None:
        """See to it that the attempt is made."""

    def stop(self, attempt: Attempt) -> None:
        """End the attempt."""

    @property
    def foresees(self) -> bool:
        """Whether it wants to hear of attempts before they can be made."""
        ...

    def foresee(self, attempt: Attempt) -> None:
        """Get ready for the attempt."""


class Follower:
    """A run that waits for an upstream to settle."""

    __slots__ = ("allowed", "driver", "position")

    def __init__(self, driver: "TaskRunDriver", position: int, allowed: bool) -> None:
        self.driver = driver
        self.position = position
        self.allowed = allowed

    def event(self, upstream: PrefectFuture[Any]) -> UpstreamSettled:
        """What the run is to hear."""
        return UpstreamSettled(
            self.position, upstream.task_run.id, usable(upstream.get_state(), self.allowed)
        )

    def __call__(self, upstream: PrefectFuture[Any]) -> None:
        """Let the run hear of it."""
        self.driver.dispatch(self.event(upstream))


class TaskRunDriver:
    """One task run on its way, from submission until it settles."""

    __slots__ = (
        "_alarm",
        "_attempt",
        "_call",
        "_context",
        "_environment",
        "_journal",
        "_lifecycle",
        "_log_prints",
        "_loop",
        "_place",
        "_run_count",
        "_scope",
        "_task_run",
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
        log_prints: bool = False,
        asynchronous: bool = False,
    ) -> None:
        self._call = call
        self._upstream = upstream
        self._task_run = task_run
        self._scope = scope
        self._environment = environment
        self._place = place
        #: the loop without which no attempt can be made
        self._loop = loop
        self._log_prints = log_prints
        self._journal = (
            scope.journal
            if scope is not None
            else Journal(environment.clock, None, environment.threads.lock())
        )
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
        try:
            self._begin()
        except BaseException:
            self._torn()
            raise

    def _begin(self) -> None:
        if self._scope is not None:
            self._scope.began(self)
        self.future.attach(self)
        upstream = self._upstream
        if not upstream:
            self.dispatch(Submitted())
            return
        self.dispatch(Submitted(len(upstream)))
        if self._place.foresees and all(given.kind == "data" for given in self._task_run.inputs):
            self._attempt = attempt = self._new_attempt(1)
            self._place.foresee(attempt)
            if self.future.settled:  # cancelled meanwhile
                self._place.stop(attempt)
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
            self._torn()
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
            self._tell(followed)

    def _tell(self, followed: "list[Follower]") -> None:
        agenda = deque([(follower, self.future) for follower in followed])
        while agenda:
            follower, upstream = agenda.popleft()
            driver = follower.driver
            agenda.extend((f, driver.future) for f in driver._hear(follower.event(upstream)))

    def report(self, event: TaskRunEvent) -> bool:
        """What an attempt has to say. False: it is not wanted any more."""
        if type(event) is Started:
            self.dispatch(event)
            return self._lifecycle.awaits(event.attempt)
        self.dispatch(event)
        if self._scope is not None and self._scope.torn:
            self._scope.mend()
        return False

    def mend(self) -> None:
        """Settle the run where the engine was stopped in the middle of it: its code had used up the stack."""
        future, message = self.future, "Execution was lost: the engine was left without stack."
        with self._journal.lock:
            if future.settled:
                return
            if future.get_state() is not _UNBORN and not future.get_state().is_final():
                state = Crashed(message, data=CrashedRun(message), at=self._journal.clock.time())
                self._record(state, self._lifecycle.attempt)
        self._tell(self._settle(future.get_state()))

    def _torn(self) -> None:
        if self._scope is not None:
            self._scope.torn.append(self)  # no more than that: there may be no stack left to do it with

    def cancel(self) -> None:
        """Ask the run to end."""
        self.dispatch(CancelRequested())

    def abandon(self) -> None:
        """Settle the run, whatever its attempt still does."""
        self.cancel()
        self.dispatch(
            Lost(self._lifecycle.attempt, "Execution was left behind: it did not stop when told to.")
        )

    def needs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether no attempt can be made unless this event loop turns."""
        return self._loop is loop

    @property
    def upstream(self) -> list[PrefectFuture[Any]]:
        """The runs that have to settle before an attempt can be made."""
        return [future for future, _ in self._upstream]

    def _is_settled(self) -> bool:
        return self.future.settled

    def _hear(self, event: TaskRunEvent) -> list[Follower]:
        """Let this run hear of something; returns the runs that are to hear of its end."""
        journal = self._journal
        with journal.lock:
            if self.future.settled:
                return _NOBODY
            # What is recorded belongs to this attempt, also where another one follows.
            attempt = self._lifecycle.attempt
            commands = self._lifecycle.handle(event, journal.clock.time())
            if not commands:
                return _NOBODY
            if type(event) is Started:
                self._worker = event.worker
            changes = [
                self._record(command.state, attempt) for command in commands if type(command) is Record
            ]
            for command in commands:
                if type(command) is SetAlarm:
                    self._set_alarm(command)
                elif type(command) is ClearAlarm:
                    self._clear_alarm()
        if journal.announces or self._call.definition.hooks:
            self._announce(changes)
        followers = _NOBODY
        for command in commands:
            if type(command) is RunAttempt:
                self._run_attempt(command.number)
            elif type(command) is StopAttempt:
                self._stop_attempt()
            elif type(command) is Settle:
                followers = self._settle(command.state)
        return followers

    def _record(self, state: State, attempt: int) -> StateChange:
        change = self._journal.write(self._task_run, state, attempt, self._run_count, self._worker)
        self.future.enter(state)
        return change

    def _announce(self, changes: list[StateChange]) -> None:
        definition, state = self._call.definition, self.future.get_state()
        if self._journal.secures_every_end and state.is_settled():
            self._journal.secure_end(self._task_run)
        for change in changes:
            announce(change, state, self._journal.listeners, definition.hooks, definition.task)

    def _clear_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self, command: SetAlarm) -> None:
        clock = self._journal.clock
        moment = clock.monotonic() + command.delay
        self._alarm = clock.call_at(moment, partial(self.dispatch, AlarmRang(command.attempt)))

    def _run_attempt(self, number: int) -> None:
        attempt = self._attempt
        if attempt is None or attempt.number != number:  # not foreseen
            self._attempt = attempt = self._new_attempt(number)
        try:
            self._place.submit(attempt)
        except WouldDeadlock:  # it needs a result that only this very thread could receive
            self._environment.threads.start(
                partial(self._submit_from_elsewhere, attempt), f"flows-{self._task_run.name}"
            )
        except Exception as error:  # a task runner may raise anything
            self._refuse(number, error)

    def _submit_from_elsewhere(self, attempt: Attempt) -> None:
        try:
            self._place.submit(attempt)
        except Exception as error:  # a task runner may raise anything
            self._refuse(attempt.number, error)
        if attempt.stopping:  # told so meanwhile
            self._place.stop(attempt)

    def _refuse(self, number: int, error: Exception) -> None:
        message = f"The task runner could not take the task run: {describe(error)}"
        self.dispatch(Refused(number, message, error))

    def _new_attempt(self, number: int) -> Attempt:
        context = self._context.copy()
        context.run(enter, self._task_run)
        stub = self._environment.stub
        return Attempt(
            self._call if stub is None else stub(self._call, self._task_run),
            number,
            self._run_count,
            self._task_run,
            self.report,
            context,
            self._journal.clock,
            self._environment.threads,
            self._loop,
            log_prints=self._log_prints,
        )

    def _stop_attempt(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.stopping = True
            self._place.stop(attempt)

    def _settle(self, state: State) -> "list[Follower]":
        if TASK_RUNS.isEnabledFor(logging.INFO):
            TASK_RUNS.info(
                "Task run '%s' finished in state %s", self._task_run.name, state, extra=self.log_extra()
            )
        with self._journal.lock:
            callbacks = self.future.settle()
            if self._scope is not None:
                self._scope.ended(self._task_run, state)
        if self._attempt is not None and self._lifecycle.attempt < self._attempt.number:
            self._place.stop(self._attempt)  # foreseen, and not asked for
        self._attempt = None
        self._upstream = []
        followers: list[Follower] = []
        for callback in callbacks:
            if isinstance(callback, Follower):
                followers.append(callback)
            else:
                call_back(callback, self.future)
        return followers

    def log_extra(self) -> dict[str, str]:
        """What log records about the run carry."""
        extra = {"task_run_name": self._task_run.name, "task_run_id": str(self._task_run.id)}
        if self._scope is not None:
            extra["flow_run_name"] = self._scope.flow_run.name
            extra["flow_run_id"] = str(self._scope.flow_run.id)
        return extra


def usable(state: State, failure_allowed: bool) -> bool:
    """Whether a run may go on from an upstream that settled in ``state``."""
    return state.is_completed() or (failure_allowed and state.is_final())


_NOBODY: list[Follower] = []
_UNBORN = Pending("The run is about to be submitted.")
