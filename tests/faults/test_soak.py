"""Faults of every kind, one after the other, for a long time: nothing is lost, and nothing grows."""

import asyncio
import gc
import random
import threading
import time

import psutil
import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.history import SQLiteHistoryStore
from runtime.history.guarantees import violations
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@task
def raises(error):
    raise error


@task(retries=2, retry_delay_seconds=0.001)
def raises_and_is_made_again(error):
    raise error


@task(timeout_seconds=0.02)
def spins():
    while True:
        time.sleep(0.001)


@task(timeout_seconds=0.02)
async def sleeps():
    await asyncio.sleep(60)


@task
def waits_to_be_stopped():
    while True:
        time.sleep(0.001)


def fails():
    return raises.submit(ValueError("no luck"))


def crashes():
    return raises.submit(KeyboardInterrupt())


def leaves():
    return raises.submit(SystemExit(3))


def is_made_again():
    return raises_and_is_made_again.submit(ConnectionError("down"))


def times_out():
    return spins.submit()


def times_out_on_the_loop():
    return sleeps.submit()


def has_no_upstream():
    return add.submit(fails(), 1)


def is_cancelled():
    future = waits_to_be_stopped.submit()
    future.cancel()
    return future


def recurses():
    return raises.submit(RecursionError("deep"))


def breaks_off():
    add.submit(1, 2)
    raise ValueError("the flow's own")


#: on a sequential runner a task that waits to be cancelled would wait for ever
FAULTS = {
    ConcurrentTaskRunner: [
        *(fails, crashes, leaves, is_made_again, times_out, times_out_on_the_loop),
        *(has_no_upstream, is_cancelled, recurses, breaks_off),
    ],
    SequentialTaskRunner: [fails, crashes, leaves, is_made_again, has_no_upstream, recurses, breaks_off],
}


@flow
def troubled(fault):
    """Something that works beside something that does not."""
    sums = add.map(list(range(5)), 1)
    return [fault(), *sums]


def used():
    gc.collect()
    process = psutil.Process()
    return threading.active_count(), process.num_fds(), process.memory_info().rss


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "look_each"),
    [(3, 1), pytest.param(300, 10, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
@pytest.mark.filterwarnings("ignore:.*left behind.*")
def test_faults_for_a_long_time_lose_nothing_and_let_nothing_grow(tmp_path, seconds, look_each):
    chance = random.Random(7)
    store = SQLiteHistoryStore(tmp_path / "history.db")
    faults, looks = 0, []

    def look():
        for run in store.flow_runs():
            assert violations(store.history(run.id)) == []
        store.forget(time.time() + 1)
        looks.append(used())

    with environment(store=store):
        end = time.monotonic() + seconds
        next_look = time.monotonic() + look_each
        while time.monotonic() < end:
            kind = chance.choice([ConcurrentTaskRunner, SequentialTaskRunner])
            state = troubled.with_options(task_runner=kind())(chance.choice(FAULTS[kind]), return_state=True)
            assert state.is_final()
            assert not state.is_completed()
            faults += 1
            if time.monotonic() >= next_look:
                look()
                next_look = time.monotonic() + look_each
        look()
    store.close()

    warm = looks[len(looks) // 4]
    assert faults >= seconds * 200 / 60
    assert looks[-1][0] <= warm[0] + 2
    assert looks[-1][1] <= warm[1] + 2
    assert looks[-1][2] <= warm[2] + 16 * 2**20
