"""DPOR on real code: threads, flows and asyncio have as many executions as traces."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from runtime import flow, get_run_context, task
from simulators import FailureFound, access, check, explore, replay
from simulators.strategies import DPOR, Exhaustive
from tests.simulators.partial_order.machine import kinds
from tests.simulators.partial_order.programs import words

Code = Callable[[], object]


def together(*codes: Code) -> None:
    """Each on a thread of its own, until all have ended."""
    threads = [threading.Thread(target=code) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def update(times: int = 1) -> None:
    for _ in range(times):
        access("x")
        access("x", write=True)


@task
def updating(times: int) -> None:
    update(times)


@task
async def updating_async(times: int) -> None:
    for _ in range(times):
        access("x")
        await asyncio.sleep(0)
        access("x", write=True)
        await asyncio.sleep(0)


@flow
def updates(tasks: int, times: int) -> None:
    for future in [updating.submit(times) for _ in range(tasks)]:
        future.result()


@flow
async def updates_async(tasks: int, times: int) -> None:
    for future in [updating_async.submit(times) for _ in range(tasks)]:
        await future.result_async()


async def gathered(tasks: int) -> None:
    await asyncio.gather(*(updating_async.fn(1) for _ in range(tasks)))


def readers(count: int) -> None:
    together(lambda: access("x", write=True), *[lambda: access("x")] * count)


def last_zero(count: int) -> None:
    values = [0] * (count + 1)

    def search() -> None:
        index = count
        access(index)
        while values[index]:
            index -= 1
            access(index)

    def fill(index: int) -> None:
        access(index - 1)
        value = values[index - 1]
        access(index, write=True)
        values[index] = value + 1

    together(search, *(lambda n=n: fill(n) for n in range(1, count + 1)))


def sections(tasks: int) -> None:
    lock = threading.Lock()

    def section() -> None:
        with lock:
            update()

    together(*[section] * tasks)


def permits(tasks: int, count: int) -> None:
    semaphore = threading.Semaphore(count)

    def section() -> None:
        semaphore.acquire()

    together(*[section] * tasks)


def handed_over() -> None:
    ready = threading.Event()

    def give() -> None:
        access("x", write=True)
        ready.set()

    def take() -> None:
        ready.wait()
        access("x")

    together(give, take)


TRACES = {
    "2 threads that update": (lambda: together(update, update), 4),
    "2 threads that update twice": (lambda: together(*[lambda: update(2)] * 2), 34),
    "3 threads that update": (lambda: together(update, update, update), 36),
    "2 tasks that update": (lambda: updates(2, 1), 4),
    "2 tasks that update twice": (lambda: updates(2, 2), 34),
    "3 tasks that update": (lambda: updates(3, 1), 36),
    "2 async tasks that update": (lambda: asyncio.run(updates_async(2, 1)), 4),
    "2 async tasks that update twice": (lambda: asyncio.run(updates_async(2, 2)), 34),
    "2 coroutines that update": (lambda: asyncio.run(gathered(2)), 4),
    "3 coroutines that update": (lambda: asyncio.run(gathered(3)), 36),
    "4 readers": (lambda: readers(4), 16),
    "the last zero of 4": (lambda: last_zero(4), 28),
    "critical sections of 2": (lambda: sections(2), 2),
    "critical sections of 3": (lambda: sections(3), 6),
    "2 permits for 2": (lambda: permits(2, 2), 2),
    "what an event orders": (handed_over, 2),
}


@pytest.mark.parametrize(("test", "traces"), TRACES.values(), ids=TRACES.keys())
def test_there_is_one_execution_for_each_trace(test, traces):
    dpor = DPOR()

    exploration = explore(test, strategy=dpor, points="declared")

    assert (exploration.executions, dpor.redundant) == (traces, 0)
    assert exploration.complete


WORDS = [("Xy", "Yx"), ("XY", "yx"), ("xX", "xX", "x"), ("XyZ", "zY"), ("X", "xY", "yZ"), ("xyX", "Yx")]


@pytest.mark.parametrize("chosen", WORDS, ids="-".join)
def test_threads_have_as_many_executions_as_the_oracle_has_traces(chosen):
    def read_and_write(word: str) -> None:
        for letter in word:
            access(letter.lower(), write=letter.isupper())

    def test() -> None:
        together(*(lambda word=word: read_and_write(word) for word in chosen))

    exploration = explore(test, strategy="dpor", points="declared")

    assert exploration.executions == len(kinds(words(**{f"p{n}": word for n, word in enumerate(chosen)})))


def philosophers(count: int) -> None:
    forks = [threading.Lock() for _ in range(count)]

    def dine(left: threading.Lock, right: threading.Lock) -> None:
        with left, right:
            pass

    together(*(lambda n=n: dine(forks[n], forks[(n + 1) % count]) for n in range(count)))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_deadlock_is_one_trace_among_the_others(count):
    exploration = explore(
        lambda: philosophers(count), strategy="dpor", points="declared", stop_on_failure=False
    )

    assert exploration.executions == 2**count - 1
    assert len(exploration.failures) == 1


def test_what_the_end_of_the_test_cuts_off_is_searched_too():
    seen: set[int] = set()

    def test() -> None:
        done: list[int] = []

        def work() -> None:
            for n in range(3):
                access("done", write=True)
                done.append(n)

        threading.Thread(target=work, daemon=True).start()
        access("done")
        seen.add(len(done))

    exploration = explore(test, strategy="dpor", points="declared")

    assert exploration.complete
    assert seen == {0, 1, 2, 3}


def test_a_failure_that_dpor_finds_is_shrunk_and_replayed():
    counter = {"value": 0}

    def add() -> None:
        access("counter")
        value = counter["value"]
        access("counter", write=True)
        counter["value"] = value + 1

    def test() -> None:
        counter["value"] = 0
        together(add, add)
        assert counter["value"] == 2

    with pytest.raises(FailureFound) as found:
        check(test, strategy="dpor", points="declared")

    schedule = found.value.failure.shrunk
    assert isinstance(replay(test, str(schedule)).error, AssertionError)
    assert replay(test, type(schedule).from_json(schedule.to_json())).divergence is None


@pytest.mark.parametrize("test", [lambda: updates(2, 2), lambda: last_zero(3)], ids=["flow", "last zero"])
def test_dpor_sees_what_the_exhaustive_search_sees(test):
    every = explore(test, strategy=Exhaustive(), points="declared")
    reduced = explore(test, strategy="dpor", points="declared")

    assert reduced.outcomes.keys() == every.outcomes.keys()
    assert reduced.executions < every.executions


def test_the_certificate_counts_traces():
    exploration = explore(lambda: updates(2, 1), strategy="dpor", points="declared")

    assert str(exploration.certificate) == "all 4 traces at points=declared: no failure; 2 data races"


def test_nothing_is_complete_where_a_limit_cut_it_off():
    few = explore(lambda: updates(2, 1), strategy="dpor", points="declared", schedules=3)
    short = explore(
        lambda: together(update, update),
        strategy="dpor",
        points="declared",
        step_limit=3,
        stop_on_failure=False,
    )

    assert not few.complete
    assert not short.complete


def test_retries_that_wait_for_their_time_are_one_trace():
    @task(retries=1, retry_delay_seconds=3)
    def fail_first(n):
        if get_run_context().attempt == 1:
            raise ValueError
        return n

    @flow
    def retries():
        return sum(future.result() for future in fail_first.map([1, 2]))

    exploration = explore(retries, strategy="dpor", points="declared")

    assert exploration.complete
    assert exploration.outcomes == {3: 1}
