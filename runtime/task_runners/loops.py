"""Attempts of async tasks on event loops of this process."""

import asyncio
from collections.abc import Callable

from runtime.envelope import Attempt
from runtime.lifecycle import Raised, Stopped


class LoopAttempts:
    """Attempts under way on event loops. All methods may be called from any thread."""

    def __init__(self, ended: Callable[[Attempt], None] | None = None) -> None:
        self._ended = ended
        # A loop knows its tasks weakly: without this, one that waits could be collected.
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, attempt: Attempt, loop: asyncio.AbstractEventLoop) -> None:
        """Make the attempt on ``loop``; ``ended`` is called there afterwards."""
        attempt.loop = loop
        if asyncio._get_running_loop() is loop:
            self._create(attempt)
        else:
            loop.call_soon_threadsafe(self._create, attempt)

    async def make_here(self, attempt: Attempt) -> None:
        """Make the attempt as a part of the task that awaits this."""
        task = asyncio.current_task()
        assert task is not None
        attempt.loop = asyncio.get_running_loop()
        attempt.handle = task
        try:
            await attempt.run_async("caller")
        finally:
            if attempt.handle is None:  # cancelled by stop(), which was meant for the attempt alone
                task.uncancel()
            attempt.handle = None

    def stop(self, attempt: Attempt) -> None:
        """Cancel the attempt."""
        if attempt.loop is not None:
            try:
                attempt.loop.call_soon_threadsafe(_cancel, attempt)
            except RuntimeError:  # the loop is closed, and everything on it was cancelled
                return

    def _create(self, attempt: Attempt) -> None:
        task = asyncio.get_running_loop().create_task(attempt.run_async("loop"), context=attempt.context)
        attempt.handle = task
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(task, attempt))

    def _done(self, task: "asyncio.Task[None]", attempt: Attempt) -> None:
        self._tasks.discard(task)
        attempt.handle = None
        if task.cancelled():  # before its first step, so that it could not report
            number = attempt.number
            attempt.report(Stopped(number) if attempt.stopping else Raised(number, asyncio.CancelledError()))
        if self._ended is not None:
            self._ended(attempt)


def _cancel(attempt: Attempt) -> None:
    task: asyncio.Task[None] | None = attempt.handle
    if task is not None:
        attempt.handle = None
        task.cancel()
