"""The caller as a place for attempts: its own thread or task makes them, one at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from runtime.context import Environment
from runtime.envelope import Attempt
from runtime.interrupts import came_by_signal
from runtime.lifecycle import Raised
from runtime.task_runners.loops import LoopAttempts
from runtime.waiting import LoopEvent, block


class Caller:
    """Takes attempts from the engine and keeps them for the code that called, which makes them.

    Two kinds of attempt are made beside it, while the caller waits: one that may have to be stopped
    after a time gets a thread or a task of its own, and an async one called from sync code gets a loop.
    """

    __slots__ = ("_attempts", "_environment", "_on_loops", "_wake")

    foresees = False

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._attempts: deque[Attempt] = deque()
        self._wake: Callable[[], None] | None = None
        self._on_loops: LoopAttempts | None = None

    def submit(self, attempt: Attempt) -> None:
        """Keep the attempt until the caller takes it."""
        self._attempts.append(attempt)
        self.wake()

    def foresee(self, attempt: Attempt) -> None:
        """Never called: the caller makes attempts one by one."""

    def stop(self, attempt: Attempt) -> None:
        """End the attempt."""
        if attempt.guard is not None:
            attempt.guard.interrupt()
        elif self._on_loops is not None:
            self._on_loops.stop(attempt)

    def wake(self, _: Any = None) -> None:
        """Let the caller look again: there is an attempt, or nothing to wait for any longer."""
        if self._wake is not None:
            self._wake()

    def make_one(self) -> bool:
        """Make the next attempt, or start it beside this thread; False if there is none.

        Raises an interrupt that arrived meanwhile, after it was reported.
        """
        if not self._attempts:
            return False
        attempt = self._attempts.popleft()
        if attempt.guard is None:
            self._start_on_loop(attempt, attempt.loop)
        elif attempt.call.definition.policy.timeout is not None:
            self._environment.threads.start(partial(_run, attempt), f"flows-{attempt.task_run.name}")
        else:
            outcome = attempt.run("caller")
            if type(outcome) is Raised and came_by_signal(outcome.exception):
                raise outcome.exception  # it is meant for the flow, wherever this thread was at the time
        return True

    async def make_one_async(self) -> bool:
        """Make the next attempt, of an async task, or start it beside this one; False if there is none."""
        if not self._attempts:
            return False
        attempt = self._attempts.popleft()
        if attempt.call.definition.policy.timeout is not None:
            self._start_on_loop(attempt, asyncio.get_running_loop())
        else:
            await self._loop_attempts().make_here(attempt)
        return True

    def wait(self, settled: Callable[[], bool]) -> None:
        """Block until there is something to do; ``settled`` says that there will not be."""
        waiter = self._environment.clock.waiter()
        self._wake = waiter.wake
        if not self._attempts and not settled():
            block(waiter)

    async def wait_async(self, settled: Callable[[], bool]) -> None:
        """Like :meth:`wait`, to be awaited."""
        event = LoopEvent()
        self._wake = event.set
        if not self._attempts and not settled():
            await event.wait()

    def _start_on_loop(self, attempt: Attempt, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop_attempts().start(attempt, loop or asyncio.get_running_loop())

    def _loop_attempts(self) -> LoopAttempts:
        if self._on_loops is None:
            self._on_loops = LoopAttempts()
        return self._on_loops


def _run(attempt: Attempt) -> None:
    attempt.run("thread")
