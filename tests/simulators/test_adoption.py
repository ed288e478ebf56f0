"""A simulated task runner on a real event loop, outside of any exploration."""

import asyncio
import itertools
import threading
import time

import anyio
import pytest

from runtime import flow, task
from runtime.futures import as_completed, wait_async
from simulators import SimulatedTaskRunner, access
from simulators.exceptions import Deadlock

MIXES = ["".join(kinds) for kinds in itertools.product("saSA", repeat=2)] + ["sas", "ASa", "Aaa"]


@task(name="s")
def at_once(n: int) -> int:
    access("n")
    return n + 1


@task(name="a")
async def at_once_async(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


@task(name="S")
def later(n: int) -> int:
    time.sleep(60)
    return n + 1


@task(name="A")
async def later_async(n: int) -> int:
    await anyio.sleep(60)
    return n + 1


TASKS = {"s": at_once, "a": at_once_async, "S": later, "A": later_async}


async def result_async(futures):
    return [await future.result_async() for future in futures]


async def gathered(futures):
    return await asyncio.gather(*(future.result_async() for future in futures))


async def waited(futures):
    return [future.get_state().result() for future in (await wait_async(futures)).done]


async def completed(futures):
    return sorted([await future.result_async() async for future in as_completed(futures)])


COLLECTORS = [result_async, gathered, waited, completed]
STRATEGIES = ("fifo", "random", "pos")


@pytest.mark.slow
@pytest.mark.parametrize("collect", COLLECTORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("points", ["declared", "operations"])
def test_sync_and_async_tasks_end_however_they_are_mixed_and_awaited(collect, points):
    # Each mix with one strategy, and with each of them by some way to collect.
    first = COLLECTORS.index(collect)
    for mix, strategy in zip(MIXES, itertools.islice(itertools.cycle(STRATEGIES), first, None)):
        runner = SimulatedTaskRunner(strategy, 1, points=points)

        @flow(task_runner=runner)
        async def mixed(mix: str):
            results = await collect([TASKS[kind].submit(n) for n, kind in enumerate(mix)])
            return [*results, await at_once.submit(10).result_async()]

        assert anyio.run(mixed, mix) == [*range(1, len(mix) + 1), 11], (mix, strategy)


def test_the_loop_goes_on_when_the_flow_has_ended():
    @flow(task_runner=SimulatedTaskRunner())
    async def short() -> str:
        await later_async.submit(1).result_async()
        return "ended"

    async def main() -> list[str]:
        seen = [await short()]
        await asyncio.sleep(0.001)
        seen.append(await asyncio.to_thread(lambda: "a real thread"))
        seen.append(await short())
        return seen

    assert asyncio.run(main()) == ["ended", "a real thread", "ended"]


def test_what_the_flow_leaves_on_the_loop_goes_on_there():
    seen: list[str] = []

    @flow(task_runner=SimulatedTaskRunner())
    async def leaves() -> None:
        asyncio.get_running_loop().call_later(0.001, seen.append, "alarm")
        asyncio.get_running_loop().call_soon(seen.append, "soon")

    async def main() -> None:
        await leaves()
        while len(seen) < 2:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 10))

    assert sorted(seen) == ["alarm", "soon"]


def test_a_task_of_the_loop_from_before_the_flow_takes_turns_with_it():
    @flow(task_runner=SimulatedTaskRunner())
    async def opens(gate: asyncio.Event) -> int:
        gate.set()
        return await at_once_async.submit(1).result_async()

    async def main() -> tuple[int, bool]:
        gate = asyncio.Event()
        before = asyncio.create_task(gate.wait())
        await asyncio.sleep(0)
        return await opens(gate), await before

    assert asyncio.run(main()) == (2, True)


def test_a_day_of_waiting_takes_no_time_and_the_clock_is_real_again_afterwards():
    began = time.monotonic()

    @task(retries=2, retry_delay_seconds=43_200)
    async def fails() -> None:
        raise ValueError

    @flow(task_runner=SimulatedTaskRunner())
    async def patient() -> str:
        return (await fails.submit().wait_async()).name

    assert asyncio.run(patient()) == "Failed"
    assert time.monotonic() - began < 60


def test_a_deadlock_cancels_the_flow_and_says_who_waits(caplog):
    @flow(task_runner=SimulatedTaskRunner())
    async def stands_still() -> None:
        await asyncio.Event().wait()

    with pytest.raises((asyncio.CancelledError, Deadlock)):
        asyncio.run(stands_still())

    assert "nothing can go on, and no alarm is set" in caplog.text


def test_a_sync_flow_is_taken_in_on_a_thread_of_its_own_as_well():
    @flow(task_runner=SimulatedTaskRunner("random", 3))
    def mixed() -> list[int]:
        return [TASKS[kind].submit(n).result() for n, kind in enumerate("saSA")]

    seen: list[list[int]] = []
    thread = threading.Thread(target=lambda: seen.append(mixed()))
    thread.start()
    thread.join()

    assert seen == [[1, 2, 3, 4]]
    assert mixed() == [1, 2, 3, 4]
