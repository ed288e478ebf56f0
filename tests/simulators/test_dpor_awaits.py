"""DPOR on asyncio, judged by an oracle: every interleaving is tried, and the partial orders are counted."""

import asyncio
import queue
import random
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterable

import pytest

from simulators import access, explore
from simulators.partial_order import Event
from simulators.partial_order.events import overlap
from simulators.strategies import DPOR, Exhaustive, Trace

Code = Callable[[], Awaitable[object]]


class Oracle(Exhaustive):
    """Every interleaving, and the partial orders that they are; it shares no code with DPOR."""

    hears = True
    fine = True

    def __init__(self) -> None:
        super().__init__()
        self.orders: set[Hashable] = set()

    def begin(self) -> bool:
        self.events: list[Event] = []
        return super().begin()

    def hear(self, event: Event, known: int) -> None:
        self.events.append(event)

    def end(self, trace: Trace) -> None:
        labels: list[tuple[str, int]] = []
        pasts: list[frozenset[tuple[str, int]]] = []
        counts: dict[str, int] = {}
        for index, event in enumerate(self.events):
            counts[event.process] = counts.get(event.process, 0) + 1
            past: set[tuple[str, int]] = set()
            for earlier in range(index):
                if self._comes_before(earlier, index):
                    past |= {labels[earlier], *pasts[earlier]}
            labels.append((event.process, counts[event.process]))
            pasts.append(frozenset(past))
        self.orders.add(frozenset(zip(labels, pasts, strict=True)))

    def _comes_before(self, earlier: int, later: int) -> bool:
        one, other = self.events[earlier], self.events[later]
        if one.process == other.process or earlier in other.causes or earlier < other.after or other.ends:
            return True
        return any(
            mine.thing == theirs.thing and (mine.writes or theirs.writes) and overlap(mine.key, theirs.key)
            for mine in one.accesses
            for theirs in other.accesses
        )


def judged(test: Callable[[], object]) -> tuple[int, int, int]:
    """How many executions DPOR makes, how many of them in vain, and how many partial orders there are."""
    oracle, dpor = Oracle(), DPOR()
    every = explore(test, strategy=oracle, points="declared", stop_on_failure=False)
    reduced = explore(test, strategy=dpor, points="declared", stop_on_failure=False)
    assert every.complete
    assert reduced.complete
    assert _kinds(reduced.outcomes) == _kinds(every.outcomes)
    return reduced.executions, dpor.redundant, len(oracle.orders)


def _kinds(outcomes: Iterable[object]) -> set[str]:
    """Outcomes, deadlocks without what they say of the order in which each began to wait."""
    return {str(outcome).partition(":")[0] for outcome in outcomes}


async def gathered(*codes: Code) -> None:
    await asyncio.gather(*(code() for code in codes))


def locked() -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def section() -> None:
            async with lock:
                await asyncio.sleep(0)

        await gathered(section, section)

    asyncio.run(main())


def three_that_lock() -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def section() -> None:
            async with lock:
                pass

        await gathered(section, section, section)

    asyncio.run(main())


def told() -> list[str]:
    seen: list[str] = []

    async def main() -> None:
        event = asyncio.Event()

        async def give() -> None:
            seen.append("given")
            event.set()

        async def take() -> None:
            seen.append("told" if event.is_set() else "waits")
            await event.wait()
            seen.append("taken")

        await gathered(give, take)

    asyncio.run(main())
    return seen


def a_semaphore() -> list[int]:
    order: list[int] = []

    async def main() -> None:
        semaphore = asyncio.Semaphore(1)

        async def section(n: int) -> None:
            async with semaphore:
                order.append(n)
                await asyncio.sleep(0)

        await gathered(lambda: section(1), lambda: section(2))

    asyncio.run(main())
    return order


def a_queue() -> list[int]:
    taken: list[int] = []

    async def main() -> None:
        numbers: asyncio.Queue[int] = asyncio.Queue()

        async def take() -> None:
            taken.extend([await numbers.get(), await numbers.get()])

        await gathered(lambda: numbers.put(1), lambda: numbers.put(2), take)

    asyncio.run(main())
    return taken


def a_full_queue() -> list[int]:
    taken: list[int] = []

    async def main() -> None:
        numbers: asyncio.Queue[int] = asyncio.Queue(1)

        async def give() -> None:
            for n in range(2):
                await numbers.put(n)

        async def take() -> None:
            for _ in range(2):
                taken.append(await numbers.get())

        await gathered(give, take)

    asyncio.run(main())
    return taken


def a_condition() -> None:
    async def main() -> None:
        condition, items = asyncio.Condition(), []

        async def give() -> None:
            async with condition:
                items.append(1)
                condition.notify()

        async def take() -> None:
            async with condition:
                while not items:
                    await condition.wait()
                items.pop()

        await gathered(give, take)

    asyncio.run(main())


def a_deadlock() -> None:
    async def main() -> None:
        one, other = asyncio.Lock(), asyncio.Lock()

        async def both(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

        await gathered(lambda: both(one, other), lambda: both(other, one))

    asyncio.run(main())


def three_and_a_semaphore() -> None:
    """Who waits for the semaphore does less in this step than who gets it."""

    async def main() -> None:
        semaphore, numbers = asyncio.Semaphore(1), asyncio.Queue[int]()

        async def down_and_put() -> None:
            await semaphore.acquire()
            numbers.put_nowait(1)

        async def put() -> None:
            numbers.put_nowait(2)

        await gathered(down_and_put, semaphore.acquire, put)

    asyncio.run(main())


def a_step_that_ends_where_it_waits() -> None:
    """Who is told before it looks goes on in the same step, and writes what another one reads."""

    async def main() -> None:
        event = asyncio.Event()

        async def read_later() -> None:
            await asyncio.sleep(0)
            access("x")

        async def tell() -> None:
            event.set()

        async def wait_and_write() -> None:
            await event.wait()
            access("x", write=True)

        await gathered(read_later, tell, wait_and_write)

    asyncio.run(main())


def a_step_that_gives_once_it_was_told() -> None:
    async def main() -> None:
        event, semaphore = asyncio.Event(), asyncio.Semaphore(1)

        async def tell() -> None:
            event.set()

        async def wait_and_give() -> None:
            await event.wait()
            semaphore.release()

        await gathered(tell, wait_and_give, semaphore.acquire)

    asyncio.run(main())


def a_wait_after_something_is_put() -> None:
    """Who waits does less in this step than who was told; somebody else may still be told before that."""

    async def main() -> None:
        event, numbers = asyncio.Event(), asyncio.Queue[int]()

        async def tell() -> None:
            event.set()

        async def wait_and_get() -> None:
            await event.wait()
            await numbers.get()

        async def put_and_wait() -> None:
            await numbers.put(1)
            await event.wait()

        await gathered(tell, wait_and_get, put_and_wait)

    asyncio.run(main())


def a_look_at_two_things() -> None:
    async def main() -> None:
        event, lock = asyncio.Event(), asyncio.Lock()

        async def look() -> None:
            _ = event.is_set(), lock.locked()

        async def tell() -> None:
            event.set()

        async def hold() -> None:
            async with lock:
                await asyncio.sleep(0)

        await gathered(look, tell, hold)

    asyncio.run(main())


def a_lock_of_ones_own() -> None:
    """It is made, and seen, before or after what others made."""

    async def main() -> None:
        event = asyncio.Event()

        async def tell() -> None:
            event.set()

        async def hold() -> None:
            async with asyncio.Lock():
                await asyncio.sleep(0)

        await gathered(tell, event.wait, hold)

    asyncio.run(main())


def updates_across_awaits() -> None:
    async def main() -> None:
        async def update() -> None:
            access("x")
            await asyncio.sleep(0)
            access("x", write=True)

        await gathered(update, update)

    asyncio.run(main())


def a_thread_that_looks() -> bool:
    done, seen = threading.Event(), []
    thread = threading.Thread(target=done.set)
    thread.start()
    seen.append(done.is_set())
    thread.join()
    return seen[0]


def a_thread_that_looks_twice() -> tuple[bool, bool]:
    done = threading.Event()
    thread = threading.Thread(target=lambda: (done.set(), done.clear()))
    thread.start()
    seen = done.is_set(), done.is_set()
    thread.join()
    return seen


def a_queue_of_threads() -> list[int]:
    numbers: queue.Queue[int] = queue.Queue()
    threads = [threading.Thread(target=numbers.put, args=[n]) for n in range(2)]
    for thread in threads:
        thread.start()
    return [numbers.get(), numbers.get()]


PROGRAMS = [
    locked,
    three_that_lock,
    told,
    a_semaphore,
    a_queue,
    a_full_queue,
    a_condition,
    a_deadlock,
    three_and_a_semaphore,
    a_step_that_ends_where_it_waits,
    a_step_that_gives_once_it_was_told,
    a_wait_after_something_is_put,
    a_look_at_two_things,
    a_lock_of_ones_own,
    updates_across_awaits,
    a_thread_that_looks,
    a_thread_that_looks_twice,
    a_queue_of_threads,
]


@pytest.mark.parametrize("test", PROGRAMS, ids=lambda test: test.__name__)
def test_there_is_one_execution_for_each_partial_order(test):
    executions, redundant, orders = judged(test)

    assert executions == orders > 1
    assert redundant == 0


class Shared:
    """What the coroutines of a program have in common; its methods are what they may do."""

    def __init__(self, coroutines: int) -> None:
        self.lock, self.event, self.semaphore = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(1)
        self.numbers: asyncio.Queue[int] = asyncio.Queue()
        #: by coroutine: nobody records the order between them
        self.seen: list[list[str]] = [[] for _ in range(coroutines)]

    async def read(self, name: int) -> None:
        access("x")

    async def write(self, name: int) -> None:
        access("x", write=True)

    async def sleep(self, name: int) -> None:
        await asyncio.sleep(0)

    async def hold(self, name: int) -> None:
        async with self.lock:
            await asyncio.sleep(0)

    async def set(self, name: int) -> None:
        self.event.set()

    async def clear(self, name: int) -> None:
        self.event.clear()

    async def wait(self, name: int) -> None:
        await self.event.wait()

    async def put(self, name: int) -> None:
        self.numbers.put_nowait(name)

    async def get(self, name: int) -> None:
        self.seen[name].append(str(await self.numbers.get()))

    async def down(self, name: int) -> None:
        await self.semaphore.acquire()

    async def up(self, name: int) -> None:
        self.semaphore.release()

    async def look(self, name: int) -> None:
        self.seen[name].append(f"{self.event.is_set()} {self.numbers.qsize()} {self.lock.locked()}")


ACTIONS = [Shared.read, Shared.write, Shared.sleep, Shared.hold, Shared.set, Shared.clear, Shared.wait]
ACTIONS += [Shared.put, Shared.get, Shared.down, Shared.up, Shared.look]


def chance(seed: int) -> Callable[[], list[list[str]]]:
    """Any program of two or three coroutines that do a little with all that asyncio has."""
    random_ = random.Random(seed)
    coroutines = random_.choice([2, 2, 3])
    size = 2 if coroutines == 3 else 3
    programs = [[random_.choice(ACTIONS) for _ in range(size)] for _ in range(coroutines)]

    async def main() -> list[list[str]]:
        shared = Shared(coroutines)

        async def work(name: int) -> None:
            for action in programs[name]:
                await action(shared, name)

        await gathered(*(lambda name=name: work(name) for name in range(coroutines)))
        return shared.seen

    return lambda: asyncio.run(main())


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_any_program_has_one_execution_for_each_partial_order(first):
    for seed in range(first, first + 10):
        executions, redundant, orders = judged(chance(seed))

        assert executions == orders, seed
        assert redundant == 0, seed


@pytest.mark.soak
def test_two_thousand_programs_have_an_execution_for_each_partial_order_and_one_in_vain_at_most():
    in_vain = 0
    for seed in range(2_000):
        executions, redundant, orders = judged(chance(seed))

        assert executions - redundant == orders, seed
        in_vain += redundant
    assert in_vain <= 1
