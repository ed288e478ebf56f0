"""Async tasks: between two awaits nobody comes in, across one anybody may."""

import asyncio

from runtime import flow, task


def lost_update_across_await() -> None:
    """The total is read before the await and written after it; another write may lie between."""
    account = {"total": 0}

    @task
    async def add_slowly(amount: int) -> None:
        seen = account["total"]
        await asyncio.sleep(1)
        account["total"] = seen + amount

    @task
    async def add_later(amount: int) -> None:
        await asyncio.sleep(1)
        account["total"] += amount

    @flow
    async def basket() -> None:
        slow, later = add_slowly.submit(1), add_later.submit(2)
        await slow.wait_async()
        await later.wait_async()

    asyncio.run(basket())
    assert account["total"] == 3


def token_refreshed_twice() -> None:
    """A request finds no token while another one fetches it, and fetches one that makes the other invalid."""
    session = {"token": 0, "valid": 0}

    async def refresh() -> int:
        session["valid"] += 1
        fresh = session["valid"]
        await asyncio.sleep(1)
        session["token"] = fresh
        return fresh

    @task
    async def request(delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        token = session["token"] or await refresh()
        assert token == session["valid"], "the server no longer knows this token"

    @flow
    async def crawl() -> None:
        first, second = request.submit(0), request.submit(1)
        await first.result_async()
        await second.result_async()

    asyncio.run(crawl())


def lock_looked_at() -> None:
    """Who sees the lock free takes it for granted that it still is after the next await."""
    inside: list[int] = []
    most: list[int] = []

    @task
    async def enter(lock: asyncio.Lock, before: float, after: float) -> None:
        if before:
            await asyncio.sleep(before)
        if lock.locked():
            return
        await asyncio.sleep(after)
        inside.append(1)
        most.append(len(inside))
        async with lock:
            await asyncio.sleep(1)
        inside.pop()

    @flow
    async def door() -> None:
        lock = asyncio.Lock()
        first, second = enter.submit(lock, 0, 1), enter.submit(lock, 1, 0)
        await first.wait_async()
        await second.wait_async()

    asyncio.run(door())
    assert max(most) == 1


def permit_lost_on_timeout() -> None:
    """A task that is timed out while it holds the permit never gives it back."""
    stock = {"ready": False}

    @task(timeout_seconds=5)
    async def hold(permit: asyncio.Semaphore) -> None:
        await permit.acquire()
        while not stock["ready"]:
            await asyncio.sleep(2)
        permit.release()

    @task
    async def fill() -> None:
        await asyncio.sleep(4)
        stock["ready"] = True

    @task
    async def follow(permit: asyncio.Semaphore) -> None:
        await asyncio.sleep(6)
        async with permit:
            pass

    @flow
    async def visits() -> None:
        permit = asyncio.Semaphore(1)
        for future in [fill.submit(), hold.submit(permit), follow.submit(permit)]:
            await future.wait_async()

    asyncio.run(visits())
