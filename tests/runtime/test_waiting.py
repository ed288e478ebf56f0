"""Waiting here or on an event loop, and the slot that others use meanwhile."""

import asyncio
import threading
from contextlib import contextmanager

from runtime.clocks import SystemClock
from runtime.waiting import SLOT, LoopEvent, block

LIMIT = 10.0


def test_who_blocks_lends_the_slot_to_others_meanwhile():
    lent = []

    class Slot:
        @contextmanager
        def given_back(self):
            lent.append("out")
            yield
            lent.append("back")

    waiter = SystemClock().waiter()
    waiter.wake()
    token = SLOT.set(Slot())
    try:
        assert block(waiter, LIMIT)
    finally:
        SLOT.reset(token)

    assert lent == ["out", "back"]


def test_an_event_is_set_from_its_loop_or_from_any_thread():
    async def main():
        here, there = LoopEvent(), LoopEvent()
        here.set()
        here.set()
        thread = threading.Thread(target=there.set)
        thread.start()
        assert await here.wait()
        assert await there.wait(LIMIT)
        assert not await LoopEvent().wait(0.001)
        thread.join(LIMIT)

    asyncio.run(main())


def test_an_event_of_a_loop_that_is_closed_may_be_set():
    async def main():
        return LoopEvent()

    asyncio.run(main()).set()
