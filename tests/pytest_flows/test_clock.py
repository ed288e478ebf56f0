"""The fixture ``flow_clock``: time that passes when the test says so."""

import asyncio
import datetime as clock_module
import threading
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from pytest_flows.clock import FlowClock
from runtime import flow, task
from runtime.futures import PrefectFuture
from runtime.task_runners import BaseTaskRunner, ConcurrentTaskRunner, SequentialTaskRunner

MOMENT = datetime(2024, 2, 29, 12, tzinfo=UTC)
runners = pytest.mark.parametrize("runner", [SequentialTaskRunner(), ConcurrentTaskRunner()])


@task
def today() -> tuple[date, datetime, float]:
    return date.today(), clock_module.datetime.now(UTC), time.time()


@task
async def today_async() -> date:
    return date.today()


@runners
def test_user_code_and_the_runtime_see_the_same_time(flow_clock: FlowClock, flow_runs, runner) -> None:
    @flow(task_runner=runner)
    def dated() -> tuple[tuple[date, datetime, float], date]:
        return today.submit().result(), today_async.submit().result()

    flow_clock.move_to(MOMENT)
    (day, now, seconds), day_async = dated()

    assert day == day_async == MOMENT.date()
    assert now == MOMENT == flow_clock.now
    assert seconds == MOMENT.timestamp()
    assert {change.at for change in flow_runs[0]} == {MOMENT.timestamp()}


async def async_dated() -> date:
    await asyncio.sleep(0.001)
    return await today_async()


def test_it_works_beside_asyncio(flow_clock: FlowClock) -> None:
    flow_clock.move_to(MOMENT)

    assert asyncio.run(flow(async_dated)()) == MOMENT.date()


@pytest.mark.slow
def test_it_works_beside_dask(flow_clock: FlowClock, dask_task_runner: BaseTaskRunner) -> None:
    @flow(task_runner=dask_task_runner)
    def dated() -> list[date]:
        return [future.result()[0] for future in [today.submit() for _ in range(3)]]

    flow_clock.move_to(MOMENT)

    assert dated() == [MOMENT.date()] * 3


def test_loops_of_other_threads_never_see_another_time() -> None:
    real, read, over = time.monotonic, threading.Event(), threading.Event()
    apart = 0.0

    async def look() -> None:
        nonlocal apart
        while not over.is_set():
            apart = max(apart, abs(asyncio.get_running_loop().time() - real()))
            read.set()

    thread = threading.Thread(target=asyncio.run, args=[look()])
    thread.start()
    for _ in range(20):
        with FlowClock().in_charge():
            read.clear()
            read.wait()
    over.set()
    thread.join()

    assert apart < 60


def test_an_alarm_is_due_at_the_very_moment_on_a_busy_machine_too(flow_clock: FlowClock) -> None:
    moment = flow_clock.monotonic() + 3600
    began = time.monotonic()
    while time.monotonic() < began + 0.02:
        pass  # others had the processor

    alarm = flow_clock.call_at(moment, lambda: None)

    assert alarm.due == flow_clock.now + timedelta(hours=1)


@runners
def test_nobody_waits_for_a_retry(flow_clock: FlowClock, flow_runs, runner) -> None:
    began = time.perf_counter()
    times = []

    @task(retries=3, retry_delay_seconds=[60, 3600, 86400])
    def flaky() -> int:
        times.append(flow_clock.now)
        if len(times) <= 3:
            raise OSError("try again")
        return len(times)

    @flow(task_runner=runner)
    def retrying() -> int:
        return flaky.submit().result()

    assert retrying() == 4

    assert flow_runs[0]["flaky-0"].names.count("AwaitingRetry") == 3
    delays = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert delays == [60, 3600, 86400]
    assert time.perf_counter() - began < 30


def test_nobody_waits_for_a_retry_of_the_flow(flow_clock: FlowClock) -> None:
    attempts = []

    @flow(retries=1, retry_delay_seconds=3600)
    def flaky() -> None:
        attempts.append(flow_clock.now)
        if len(attempts) == 1:
            raise OSError("try again")

    flaky()

    assert attempts[1] - attempts[0] == timedelta(hours=1)


def test_a_retry_waits_while_another_task_runs(flow_clock: FlowClock) -> None:
    go_on = threading.Event()
    seen = []

    @task(retries=1, retry_delay_seconds=3600)
    def flaky() -> None:
        seen.append("flaky")
        if len(seen) == 1:
            raise OSError("try again")

    @task
    def busy() -> None:
        go_on.wait(60)
        seen.append("busy")

    @flow
    def both() -> None:
        other = busy.submit()
        first = flaky.submit()
        while first.get_state().name != "AwaitingRetry":
            time.sleep(0.001)
        go_on.set()
        other.wait()
        first.wait()

    both()

    assert seen == ["flaky", "busy", "flaky"]


def test_a_cached_result_expires(flow_clock: FlowClock) -> None:
    calls = []

    @task(cache_key_fn=lambda *_: "key", cache_expiration=timedelta(hours=1))
    def cached() -> int:
        calls.append(1)
        return len(calls)

    @flow
    def use() -> int:
        return cached.submit().result()

    results = [use(), use()]
    flow_clock.advance(minutes=61)
    results.append(use())

    assert results == [1, 1, 2]


def test_time_that_is_skipped_ends_waits_and_timeouts(flow_clock: FlowClock) -> None:
    waits: list[threading.Thread] = []

    @task(timeout_seconds=3600)
    def endless() -> None:
        while True:
            time.sleep(0.001)

    @flow
    def timing_out() -> tuple[object, str]:
        future: PrefectFuture[None] = endless.submit()
        while not future.get_state().is_running():
            time.sleep(0.001)
        waits.append(threading.Thread(target=flow_clock.advance, kwargs={"hours": 2}))
        waits[0].start()
        return future.wait(1800), future.wait().name

    _, name = timing_out()
    waits[0].join()

    assert name == "TimedOut"


def test_the_wall_clock_can_be_set_back(flow_clock: FlowClock) -> None:
    before = flow_clock.monotonic()
    flow_clock.move_to("2024-02-29T12:00:00+01:00")

    assert flow_clock.now == datetime(2024, 2, 29, 11, tzinfo=UTC)
    assert flow_clock.monotonic() >= before


def test_time_does_not_pass_backwards(flow_clock: FlowClock) -> None:
    with pytest.raises(ValueError, match="Time cannot pass backwards"):
        flow_clock.advance(-1)


def test_it_leaves_time_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import time

        from runtime.clocks import SystemClock
        from runtime.context import current_environment

        real = time.time, time.monotonic, time.perf_counter

        def test_clock(flow_clock):
            assert time.time is not real[0]
            assert (time.monotonic, time.perf_counter) == real[1:]
            assert current_environment().clock is flow_clock

        def test_afterwards():
            assert (time.time, time.monotonic, time.perf_counter) == real
            assert isinstance(current_environment().clock, SystemClock)
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)
