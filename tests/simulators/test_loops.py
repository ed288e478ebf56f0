import asyncio

import anyio
import anyio.to_thread
import pytest

from runtime import flow, task
from simulators import Schedule, SimulatedTaskRunner, explore, replay
from simulators.exceptions import OutsideControl

FIFO = Schedule(points="operations")


def simulated(test):
    execution = replay(test, FIFO)
    if execution.error is not None:
        raise execution.error
    return execution.result


async def in_order() -> list[str]:
    order: list[str] = []

    async def step(name: str) -> None:
        order.append(f"{name} begins")
        await asyncio.sleep(0)
        order.append(f"{name} goes on")

    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(step(name)) for name in "ab"]
    loop.call_soon(order.append, "called soon")
    loop.call_later(0, order.append, "called later")
    await asyncio.gather(*tasks)
    return order


def test_fifo_takes_the_turns_of_a_loop_as_asyncio_does():
    simulated_order = simulated(in_order)
    real_order = asyncio.run(in_order())

    assert [line for line in simulated_order if "called" not in line] == [
        line for line in real_order if "called" not in line
    ]


def test_a_timeout_strikes_in_virtual_time_and_cancels():
    async def test() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time() - began

    assert simulated(test) == pytest.approx(3600, abs=1e-4)


def test_a_timeout_and_a_result_that_are_due_at_once_come_in_either_order():
    async def test() -> str:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(1)
        except TimeoutError:
            return "too late"
        return "in time"

    exploration = explore(test, strategy="exhaustive", points="declared")

    assert exploration.complete
    assert set(exploration.outcomes) == {"too late", "in time"}


def test_anyio_runs_on_it():
    async def test() -> list[int]:
        done: list[int] = []

        async def work(n: int) -> None:
            await anyio.to_thread.run_sync(lambda: None)
            await anyio.sleep(n)
            done.append(n)

        async with anyio.create_task_group() as group:
            for n in (3, 1, 2):
                group.start_soon(work, n)
        with anyio.move_on_after(5):
            await anyio.sleep(10)
        return done

    assert simulated(test) == [1, 2, 3]
    assert simulated(lambda: anyio.run(test)) == [1, 2, 3]


def test_sockets_are_refused_by_the_loop():
    async def test() -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(OutsideControl, match="create_connection"):
        simulated(test)


def test_tasks_that_are_left_over_are_cancelled_as_asyncio_does():
    ended: list[str] = []

    async def test() -> None:
        async def waits() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        asyncio.get_running_loop().kept = asyncio.create_task(waits())
        await asyncio.sleep(0)

    simulated(test)

    assert ended == ["cancelled"]


def test_a_real_loop_is_taken_in_for_a_flow_and_given_back():
    @task
    async def nap(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @flow(task_runner=SimulatedTaskRunner())
    async def naps() -> list[float]:
        return [await future.result_async() for future in nap.map([3600, 7200])]

    async def main() -> tuple[list[float], list[str]]:
        beside: list[str] = []
        asyncio.get_running_loop().call_later(0.01, beside.append, "rang")
        slept = await naps()
        await asyncio.sleep(0.02)
        return slept, beside

    assert asyncio.run(main()) == ([3600, 7200], ["rang"])
