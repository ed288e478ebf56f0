"""Futures, apart from the engine: what they say, and waiting for many of them."""

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import Callable
from uuid import UUID

import pytest

from runtime.clocks import SystemClock
from runtime.exceptions import UnfinishedRun, WouldDeadlock
from runtime.futures import PrefectFuture, as_completed, wait, wait_async
from runtime.history import Journal
from runtime.runs import TaskRun
from runtime.states import Completed, Failed, Pending, Running, State

LIMIT = 10.0


class Control:
    """Stands for the engine: notes what is asked of it."""

    upstream = ()

    def __init__(self, needed: asyncio.AbstractEventLoop | None = None) -> None:
        self.cancelled = 0
        self._needed = needed

    def cancel(self) -> None:
        self.cancelled += 1

    def needs(self, loop: asyncio.AbstractEventLoop) -> bool:
        return loop is self._needed


@pytest.fixture
def new_future():
    """Makes futures of one journal, add-0, add-1 and so on."""
    journal = Journal(SystemClock(), None, threading.RLock())
    numbers = itertools.count()

    def make(state: State | None = None, *, asynchronous: bool = False) -> PrefectFuture:
        n = next(numbers)
        run = TaskRun(UUID(int=n, version=4), "add", "a087a829", n, None)
        future = PrefectFuture(run, journal, state or Pending(), asynchronous=asynchronous)
        if state is not None and state.is_settled():
            future.settle()
        return future

    return make


def settle(future: PrefectFuture, state: State) -> None:
    """What the engine does when a run settles."""
    future.enter(state)
    for callback in future.settle():
        callback(future)


@pytest.fixture
def later():
    """Does something on another thread, once the thread here waits."""
    threads = []

    def start(do: Callable[[], None]) -> None:
        thread = threading.Thread(target=do)
        threads.append(thread)
        thread.start()

    yield start
    for thread in threads:
        thread.join(LIMIT)


def test_the_result_of_a_settled_run_is_there_at_once(new_future):
    error = KeyError("no")

    assert new_future(Completed(data=3)).result() == 3
    assert new_future(Failed(data=error)).result(raise_on_failure=False) is error
    with pytest.raises(KeyError):
        new_future(Failed(data=error)).result()
    with pytest.raises(UnfinishedRun):
        new_future(Pending(name="NotReady")).result()


def test_result_waits_for_the_run(new_future, later):
    future = new_future()
    later(lambda: settle(future, Completed(data=3)))

    assert future.result(LIMIT) == 3


def test_wait_gives_the_last_state_or_none(new_future, later):
    future = new_future()

    assert future.wait(0.01) is None
    later(lambda: settle(future, Failed("no")))
    assert future.wait(LIMIT) == Failed("no")
    assert future.wait(0) == Failed("no")


def test_a_result_that_is_late_is_an_error_that_says_where_the_run_is(new_future):
    future = new_future(Running())

    with pytest.raises(
        TimeoutError, match=r"'add-a087a829-0' has no result after 0.01 second\(s\).*in state Running"
    ):
        future.result(timeout=0.01)


def test_the_state_can_be_asked_at_any_time(new_future):
    future = new_future()

    future.enter(Running())
    assert future.get_state() == Running()
    assert not future.settled
    settle(future, Completed())
    assert future.get_state() == Completed()
    assert future.settled


def test_a_future_of_an_async_task_in_an_async_flow_is_awaited(new_future):
    async def main():
        future = new_future(asynchronous=True)
        asyncio.get_running_loop().call_soon(settle, future, Completed(data=3))
        return await future.result(), await future.wait()

    assert asyncio.run(main()) == (3, Completed())


def test_every_future_can_be_awaited_by_name_from_any_loop(new_future, later):
    async def main():
        future = new_future()
        later(lambda: settle(future, Completed(data=3)))
        return await future.result_async(LIMIT), await future.wait_async(LIMIT)

    assert asyncio.run(main()) == (3, Completed())


def test_awaiting_a_result_that_is_late_is_an_error_too(new_future):
    async def main():
        future = new_future()
        assert await future.wait_async(0.01) is None
        with pytest.raises(TimeoutError):
            await future.result_async(0.01)

    asyncio.run(main())


def test_awaiting_a_future_itself_gives_the_future(new_future):
    future = new_future()

    async def main():
        return await future

    assert asyncio.run(main()) is future


def test_a_wait_that_gave_up_leaves_nothing_behind(new_future):
    future = new_future()

    async def main():
        for _ in range(3):
            await future.wait_async(0.001)
        task = asyncio.create_task(future.wait_async())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(3):
        future.wait(0.001)
        wait([future], 0.001)
    asyncio.run(main())

    assert future.settle() == []


# Callbacks


def test_callbacks_are_called_once_when_the_run_settles(new_future):
    future = new_future()
    called = []
    future.add_done_callback(called.append)
    future.add_done_callback(called.append)

    assert called == []
    settle(future, Completed())

    assert called == [future, future]


def test_a_callback_of_a_settled_run_is_called_at_once(new_future):
    future = new_future(Completed())
    called = []

    future.add_done_callback(called.append)

    assert called == [future]
    assert not future.when_settled(called.append)
    assert called == [future]


def test_a_callback_that_was_forgotten_is_not_called(new_future):
    future = new_future()
    called = []
    future.add_done_callback(called.append)

    future.forget(called.append)
    future.forget(called.append)
    settle(future, Completed())

    assert called == []
    future.forget(called.append)


def test_a_settled_future_lets_go_of_callbacks_and_of_the_engine(new_future):
    future = new_future()
    control = Control()
    gone = weakref.ref(control)
    future.attach(control)
    settle(future, Completed())

    del control
    gc.collect()

    assert gone() is None


def test_cancelling_asks_the_engine_until_the_run_has_settled(new_future):
    future, control = new_future(), Control()
    future.cancel()
    future.attach(control)

    future.cancel()
    future.cancel()
    settle(future, Completed())
    future.cancel()

    assert control.cancelled == 2


# Deadlocks


def test_blocking_for_a_run_that_needs_this_very_loop_is_an_error_at_once(new_future):
    async def main():
        future = new_future()
        future.attach(Control(needed=asyncio.get_running_loop()))
        for blocks in (
            future.result,
            future.wait,
            lambda: wait([future]),
            lambda: list(as_completed([future])),
        ):
            with pytest.raises(WouldDeadlock, match="needs the event loop that this very call holds up"):
                blocks()
        assert future.settle() == []

    asyncio.run(main())


def test_blocking_in_a_loop_for_a_run_that_goes_on_elsewhere_is_fine(new_future, later):
    async def main():
        future = new_future()
        future.attach(Control(needed=None))
        later(lambda: settle(future, Completed(data=3)))
        return future.result(LIMIT)

    assert asyncio.run(main()) == 3


# Identity


def test_futures_are_equal_when_their_runs_are(new_future):
    one, other = new_future(), new_future()
    same = PrefectFuture(one.task_run, Journal(SystemClock(), None, threading.RLock()), Pending())

    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "add-0"
    assert len({one, same, other}) == 2


def test_a_future_asked_whether_it_is_true_warns_and_is(new_future):
    future = new_future()

    with pytest.warns(UserWarning, match="Did you mean `future.result"):
        assert bool(future)


def test_a_future_shows_its_run_and_state(new_future):
    assert repr(new_future(Completed())) == "PrefectFuture('add-a087a829-0', Completed)"


# Many futures


def test_waiting_for_many_tells_who_has_settled_and_who_has_not(new_future):
    done, late = new_future(Completed()), new_future()

    found = wait([late, done], timeout=0.01)

    assert found.done == [done]
    assert found.not_done == [late]


def test_waiting_for_none_is_over_at_once(new_future):
    assert wait([]) == ([], [])
    assert list(as_completed([])) == []


def test_waiting_for_many_waits_for_all(new_future, later):
    futures = [new_future() for _ in range(5)]
    later(lambda: [settle(future, Completed()) for future in reversed(futures)])

    assert wait(iter(futures), LIMIT).done == futures


def test_waiting_for_many_can_be_awaited(new_future, later):
    async def main():
        futures = [new_future() for _ in range(5)]
        later(lambda: [settle(future, Completed()) for future in futures])
        assert (await wait_async(futures, LIMIT)).not_done == []
        late = new_future()
        assert (await wait_async([late], 0.01)).not_done == [late]

    asyncio.run(main())


def test_futures_come_as_they_settle(new_future):
    first, second, third = futures = [new_future() for _ in range(3)]
    settle(third, Completed())
    came = []

    for future in as_completed(futures, LIMIT):
        came.append(future)
        if future is third:
            settle(first, Failed())
        elif future is first:
            settle(second, Completed())

    assert came == [third, first, second]


def test_a_future_that_is_given_twice_comes_once(new_future):
    future = new_future(Completed())

    assert list(as_completed([future, future])) == [future]


def test_futures_come_as_they_settle_also_where_they_are_awaited(new_future):
    async def main():
        first, second = futures = [new_future(), new_future()]
        loop = asyncio.get_running_loop()
        loop.call_soon(settle, second, Completed())
        came = []
        async for future in as_completed(futures, LIMIT):
            came.append(future)
            if future is second:
                loop.call_soon(settle, first, Completed())
        assert came == [second, first]

    asyncio.run(main())


def test_those_that_are_late_are_named(new_future):
    futures = [new_future() for _ in range(7)]
    settle(futures[0], Completed())

    with pytest.raises(TimeoutError) as caught:
        list(as_completed(futures, timeout=0.01))

    names = ", ".join(f"add-a087a829-{n}" for n in range(1, 6))
    assert str(caught.value) == f"Not settled after 0.01 second(s): {names} and 1 more"


def test_those_that_are_late_are_named_where_they_are_awaited(new_future):
    async def main():
        with pytest.raises(TimeoutError, match=r"Not settled after 0.01 second\(s\): add-a087a829-0$"):
            async for _ in as_completed([new_future()], timeout=0.01):
                pass

    asyncio.run(main())


def test_what_is_given_as_completed_can_be_gone_through_again(new_future):
    futures = [new_future() for _ in range(2)]
    completions = as_completed(futures, timeout=0.01)
    settle(futures[0], Completed())

    with pytest.raises(TimeoutError):
        list(completions)
    settle(futures[1], Completed())

    assert list(completions) == futures


def test_nobody_is_told_of_futures_that_nobody_goes_through_any_more(new_future):
    futures = [new_future() for _ in range(3)]
    settle(futures[0], Completed())

    for _ in as_completed(futures):
        break
    gc.collect()

    assert futures[1].settle() == []


def test_waiting_for_thousands_costs_the_same_for_each_in_whatever_order_they_settle(new_future):
    """Counted in comparisons, which were as many as the square of the futures."""
    compared = 0

    class Counting(PrefectFuture):
        __slots__ = ()

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = PrefectFuture.__hash__

    journal = Journal(SystemClock(), None, threading.RLock())
    runs = [TaskRun(UUID(int=n, version=4), "add", "a087a829", n, None) for n in range(2_000)]
    futures = [Counting(run, journal, Pending()) for run in runs]

    completions = iter(as_completed(futures, LIMIT))
    settle(futures[-1], Completed())
    assert next(completions) is futures[-1]
    for future in reversed(futures[:-1]):
        settle(future, Completed())
    assert len(list(completions)) == 1_999

    assert compared < 20_000
