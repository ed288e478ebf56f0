"""Programs that use most of what a simulation controls. Other processes import them by this file."""

import asyncio
import queue
import random
import threading
import time
import uuid
from datetime import datetime

import anyio
import anyio.to_thread

from runtime import flow, task


@task(retries=2, retry_delay_seconds=30)
def flaky(n: int, tries: dict[int, int]) -> str:
    tries[n] = tries.get(n, 0) + 1
    time.sleep(random.random())
    if tries[n] < 2:
        raise ValueError(n)
    return str(uuid.uuid4())


@task
async def asynchronous(n: int) -> int:
    await asyncio.sleep(n)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 1)
        group.start_soon(anyio.to_thread.run_sync, time.sleep, 1)
    return n


@flow
def retries() -> list[str]:
    tries: dict[int, int] = {}
    return [future.result() for future in flaky.map(list(range(4)), tries=[tries] * 4)]


@flow
async def mixed() -> list[object]:
    futures = [asynchronous.submit(1), asynchronous.submit(1), flaky.submit(9, {})]
    return [await future.result_async() for future in futures]


def sync_test() -> list[str]:
    return retries()


def async_test() -> list[object]:
    return asyncio.run(mixed())


def threads_test() -> tuple[list[int], str]:
    handed: queue.Queue[int] = queue.Queue(maxsize=1)
    taken: list[int] = []
    enough = threading.Event()

    def take() -> None:
        while not enough.is_set():
            taken.append(handed.get())
            if len(taken) == 4:
                enough.set()

    taker = threading.Thread(target=take)
    taker.start()
    givers = [threading.Thread(target=handed.put, args=(n,)) for n in range(4)]
    for giver in givers:
        giver.start()
    for thread in [*givers, taker]:
        thread.join()
    return taken, datetime.now().isoformat()


ALL = [sync_test, async_test, threads_test]
