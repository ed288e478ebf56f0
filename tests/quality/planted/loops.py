"""Async tasks: between two awaits nobody comes in, across one anybody may."""

import asyncio

from runtime import flow, task


def lost_update_across_await() -> None:
    """The total is read before the await and written after it."""
    account = {"total": 0}

    @task
    async def add(amount: int) -> None:
        account["total"] = account["total"] + await price(amount)

    async def price(amount: int) -> int:
        await asyncio.sleep(0)
        return amount

    @flow
    async def basket() -> None:
        add.submit(1)
        await add.submit(2).wait_async()

    asyncio.run(basket())
    assert account["total"] == 3


def token_refreshed_twice() -> None:
    """Two requests find the token expired, and the second refresh makes the first one's token worthless."""
    session: dict[str, int] = {"token": 0, "valid": 0}

    async def refresh() -> int:
        session["valid"] += 1
        fresh = session["valid"]
        await asyncio.sleep(0)
        session["token"] = fresh
        return fresh

    @task
    async def request() -> None:
        token = session["token"] or await refresh()
        assert token == session["valid"], "the server no longer knows this token"

    @flow
    async def crawl() -> None:
        first, second = request.submit(), request.submit()
        await first.result_async()
        await second.result_async()

    asyncio.run(crawl())


def lock_looked_at() -> None:
    """Who sees the lock free takes it for granted that it still is after the next await."""
    inside: list[int] = []
    most: list[int] = []

    @task
    async def enter(lock: asyncio.Lock) -> None:
        if lock.locked():
            return
        await asyncio.sleep(0)
        inside.append(1)
        most.append(len(inside))
        async with lock:
            await asyncio.sleep(0)
        inside.pop()

    @flow
    async def door() -> None:
        lock = asyncio.Lock()
        first, second = enter.submit(lock), enter.submit(lock)
        await first.wait_async()
        await second.wait_async()

    asyncio.run(door())
    assert max(most) == 1


def permit_lost_on_cancel() -> None:
    """A task that is timed out while it holds the permit never gives it back."""

    @task(timeout_seconds=3)
    async def hold(permit: asyncio.Semaphore, work: float) -> None:
        await permit.acquire()
        await asyncio.sleep(work)
        permit.release()

    @task
    async def follow(permit: asyncio.Semaphore) -> None:
        await asyncio.sleep(4)
        async with permit:
            pass

    @flow
    async def visits() -> None:
        permit = asyncio.Semaphore(1)
        first, second = hold.submit(permit, 3), follow.submit(permit)
        await first.wait_async()
        await second.wait_async()

    asyncio.run(visits())
