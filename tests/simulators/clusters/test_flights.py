"""Tasks on simulated clusters: what travels, who goes where, and what is lost with a worker."""

import threading
import time

import dask
import pytest

from runtime import flow, get_run_context, task
from runtime.exceptions import CrashedRun
from simulators import SimulatedCluster, SimulatedTaskRunner, explore
from simulators.exceptions import Deadlock, SimulatorError
from simulators.faults import WorkerDeath


@task
def append(items, item):
    items.append(item)
    return items


@task
def give(value):
    return value


@task
def lock():
    return threading.Lock()


@task
def where(*after):
    time.sleep(1)
    return get_run_context().worker


@task
def when():
    time.sleep(1)
    return time.monotonic()


@task
def large():
    return "x" * 10_000


@task
def length(text):
    return len(text)


def outcome(test, **options):
    """What comes of one run in the usual order."""
    exploration = explore(test, strategy="fifo", points="operations", **options)
    (outcome,) = exploration.outcomes
    return outcome


def test_what_a_task_changes_in_its_arguments_stays_on_its_worker():
    @flow
    def shares():
        mine = []
        changed = append.submit(mine, 1).result()
        return tuple(mine), tuple(changed)

    assert outcome(shares) == ((1,), (1,))
    assert outcome(shares, cluster=SimulatedCluster()) == ((), (1,))


@pytest.mark.parametrize(("like", "seen"), [("dask", (1, 2)), ("ray", (2,))])
def test_tasks_on_one_worker_share_a_result_like_dask_and_unlike_ray(like, seen):
    @flow
    def shares():
        items = give.submit([])
        first = append.submit(items, 1)
        return tuple(append.submit(items, 2, wait_for=[first]).result())

    assert outcome(shares, cluster=SimulatedCluster(workers=1, like=like)) == seen


def test_a_result_that_cannot_be_pickled_fails_its_task():
    @flow
    def locks():
        return lock.submit(return_state=True)

    assert "cannot be sent to another process" in outcome(locks, cluster=SimulatedCluster())


def test_workers_take_as_many_tasks_at_a_time_as_they_have_threads():
    @flow
    def spread():
        futures = where.map(list(range(6)))
        return tuple(sorted(future.result() for future in futures)), time.monotonic()

    began = outcome(lambda: time.monotonic())
    workers, ended = outcome(spread, cluster=SimulatedCluster(workers=2, threads=1))

    assert workers == ("worker-0",) * 3 + ("worker-1",) * 3
    assert ended - began == pytest.approx(3)


def test_like_ray_a_node_is_half_filled_before_the_next_is_used():
    @flow
    def spread():
        return tuple(sorted(future.result() for future in where.map(list(range(3)))))

    on_ray = outcome(spread, cluster=SimulatedCluster(workers=2, threads=4, like="ray"))
    on_dask = outcome(spread, cluster=SimulatedCluster(workers=2, threads=4, like="dask"))

    assert on_ray == ("worker-0", "worker-0", "worker-0")
    assert on_dask == ("worker-0", "worker-0", "worker-1")


def test_dask_s_annotations_say_where_tasks_go():
    @flow
    def annotated():
        with dask.annotate(workers=["worker-1"]):
            futures = where.map(list(range(3)))
        return {future.result() for future in futures} == {"worker-1"}

    assert outcome(annotated, cluster=SimulatedCluster()) is True


def test_dask_s_annotations_say_who_goes_first():
    @flow
    def annotated():
        began = [where.submit()]
        for priority in (1, 3, 2):
            with dask.annotate(priority=priority):
                began.append(when.submit())
        return tuple(future.result() for future in began[1:])

    low, high, middle = outcome(annotated, cluster=SimulatedCluster(workers=1))

    assert high < middle < low


def test_resources_that_no_worker_has_are_a_deadlock_that_says_so():
    @flow
    def asks():
        with dask.annotate(resources={"GPU": 2}):
            return where.submit().result()

    exploration = explore(asks, strategy="fifo", cluster=SimulatedCluster(resources={"GPU": 1}))

    assert isinstance(exploration.failures[0].error, Deadlock)
    assert "where-0 waits for a worker with 1 free thread and GPU=2" in str(exploration.failures[0].error)


def test_resources_are_taken_and_given_back():
    @flow
    def takes():
        with dask.annotate(resources={"GPU": 1}):
            return tuple(future.result() for future in where.map(list(range(3))))

    assert outcome(takes, cluster=SimulatedCluster(workers=1, threads=3, resources={"GPU": 1})) == (
        "worker-0",
        "worker-0",
        "worker-0",
    )


def test_latency_is_paid_for_each_call_and_each_report():
    @flow
    def chain():
        began = time.monotonic()
        give.submit(give.submit(1)).result()
        return time.monotonic() - began

    assert outcome(chain, cluster=SimulatedCluster(latency=0.5)) == pytest.approx(2)


def test_a_large_result_is_lost_with_its_worker_and_what_needs_it_crashes():
    @flow
    def loses():
        made = large.submit()
        made.wait()
        needs = length.submit(made)
        needs.wait()
        try:
            return needs.get_state().name, len(made.result())
        except CrashedRun as error:
            return needs.get_state().name, str(error)

    deaths = [WorkerDeath(tasks="large-*", when=("reported",))]
    exploration = explore(loses, faults=deaths, points="operations", schedules=50)

    assert ("Completed", 10_000) in exploration.outcomes
    assert any(
        name == "Crashed" and "was lost with its worker" in str(said) for name, said in exploration.outcomes
    )


def test_a_worker_that_holds_more_results_than_its_memory_is_ended():
    @flow
    def fills():
        return str(large.submit(return_state=True))

    assert "memory limit" in outcome(fills, cluster=SimulatedCluster(memory=5_000))


def test_a_small_result_outlives_its_worker():
    @flow
    def keeps():
        small = give.submit(3)
        small.wait()
        return give.submit(small).result()

    exploration = explore(
        keeps,
        faults=[WorkerDeath(tasks="give-0", when=("reported",))],
        strategy="exhaustive",
        points="declared",
    )

    assert exploration.complete
    assert set(exploration.outcomes) == {3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"threads": 0},
        {"latency": -1},
        {"memory": 0},
        {"like": "spark"},
        {"resources": {"GPU": -1}},
    ],
    ids=str,
)
def test_a_cluster_that_there_cannot_be_is_refused(wrong):
    with pytest.raises(SimulatorError):
        SimulatedCluster(**wrong)


def test_a_runner_of_its_own_has_a_cluster_of_its_own():
    @flow(task_runner=SimulatedTaskRunner(cluster=SimulatedCluster(workers=1)))
    def one():
        return where.submit().result()

    assert one() == "worker-0"
