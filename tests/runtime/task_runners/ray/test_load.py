"""One Ray that serves many flow runs, and data that goes from worker to worker."""

import gc
import weakref
from threading import Thread

import psutil
import pytest

from runtime import flow, task
from runtime.task_runners.ray import sharing
from runtime.task_runners.ray.results import RayResult
from tests.runtime.task_runners.ray.conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MEGABYTE = 1_000_000


@task
def add(x, y):
    return x + y


@flow
def sums(number):
    first = [add.submit(number, n) for n in range(3)]
    return sum(add.submit(each, 1).result() for each in first)


def nothing_is_kept():
    flights = sharing._current
    until(lambda: not (flights._by_id or flights._latest or flights._waited_for or flights._held))


def test_fifty_flow_runs_after_each_other_leave_nothing(ray_task_runner):
    on_ray = sums.with_options(task_runner=ray_task_runner)

    assert [on_ray(number) for number in range(50)] == [3 * number + 6 for number in range(50)]

    nothing_is_kept()


def test_four_flow_runs_at_once_do_not_mix(ray_task_runner):
    results = {}

    def run(number):
        on_ray = sums.with_options(task_runner=ray_task_runner.duplicate())
        results[number] = [on_ray(number) for _ in range(3)]

    threads = [Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: [3 * number + 6] * 3 for number in range(4)}
    nothing_is_kept()


def test_results_go_when_nobody_refers_to_them_any_more(ray_task_runner):
    @task
    def makes():
        return bytes(MEGABYTE)

    kept = []

    @flow(task_runner=ray_task_runner)
    def forgets():
        future = makes.submit()
        future.wait()
        data = future.get_state().data
        assert isinstance(data, RayResult)
        kept.append(weakref.ref(data))
        return 0

    forgets()

    gc.collect()
    assert kept[0]() is None


def test_data_that_goes_through_a_chain_does_not_visit_the_driver(ray_task_runner):
    @task
    def makes():
        return bytes(300 * MEGABYTE)

    @task
    def passes_on(content):
        return content

    @task
    def length(content):
        return len(content)

    @flow(task_runner=ray_task_runner)
    def passes():
        before = psutil.Process().memory_full_info().uss
        content = makes.submit()
        for _ in range(3):
            content = passes_on.submit(content)
        result = length.submit(content).result()
        return result, psutil.Process().memory_full_info().uss - before

    result, grown = passes()

    assert result == 300 * MEGABYTE
    assert grown < 50 * MEGABYTE
