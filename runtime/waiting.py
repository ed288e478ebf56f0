"""Waiting, blocking or on an event loop, while others use the slot that the code here holds."""

import asyncio
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol

from runtime.clocks import Waiter


class Slot(Protocol):
    """The place that the code here holds on its task runner."""

    def given_back(self) -> AbstractContextManager[None]:
        """Let somebody else have it for the length of a block."""
        ...


#: Set by task runners that have a limited number of slots.
SLOT: ContextVar[Slot | None] = ContextVar("flows_slot", default=None)


def block(waiter: Waiter, timeout: float | None = None) -> bool:
    """Wait on this thread. The slot that the code here holds may be used by others meanwhile."""
    slot = SLOT.get()
    if slot is None:
        return waiter.wait(timeout)
    with slot.given_back():
        return waiter.wait(timeout)


class LoopEvent:
    """Something awaited on the running event loop, and set from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def set(self, _: object = None) -> None:
        """End the wait."""
        if asyncio._get_running_loop() is self._loop:
            self._set_here()
        else:
            try:
                self._loop.call_soon_threadsafe(self._set_here)
            except RuntimeError:  # the loop is closed: nobody awaits this any more
                return

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until set, at most ``timeout`` seconds; whether it was set.

        The slot that the code here holds may be used by others meanwhile.
        """
        slot = SLOT.get()
        if slot is None:
            return await self._wait(timeout)
        with slot.given_back():
            return await self._wait(timeout)

    async def _wait(self, timeout: float | None) -> bool:
        if timeout is None:
            await self._future
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._future
        except TimeoutError:
            return False
        return True

    def _set_here(self) -> None:
        if not self._future.done():
            self._future.set_result(None)
