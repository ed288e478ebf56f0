"""Async flows of a sequential runner: their tasks stand in line on the flow's loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any


class Line:
    """Jobs done one after the other, each as a task of the loop, in its own context."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[Callable[[], Coroutine[Any, Any, object]], Context]] = deque()
        self._serving: asyncio.Task[None] | None = None

    def __bool__(self) -> bool:
        """Whether anything stands in line, or is being done."""
        return self._serving is not None

    def add(self, job: Callable[[], Coroutine[Any, Any, object]], context: Context) -> None:
        """Stand in line; called on the loop."""
        self._jobs.append((job, context))
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._jobs:
                job, context = self._jobs.popleft()
                # What the job submits stands in a line of its own: behind the job it would wait for ever.
                inner = Line()
                context.run(LINE.set, inner)
                await loop.create_task(job(), context=context)
                await inner.served()
        finally:
            self._serving = None

    async def served(self) -> None:
        """Wait until nobody stands in line."""
        if self._serving is not None:
            await self._serving


#: The line of the job that runs here.
LINE: ContextVar[Line | None] = ContextVar("flows_line", default=None)
