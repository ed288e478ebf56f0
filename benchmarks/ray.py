"""What a task run costs on Ray, beside raw Ray: driver and workers together."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import ray

from benchmarks.contests import Contest, family_cpu_time
from runtime import flow, task
from runtime.task_runners import RayTaskRunner

CPUS = 2


def contests() -> Iterator[Contest]:
    """No-op tasks, a chain, and many results into one task; on a Ray that runs already."""
    for name, unit, units, ours, raw, promised in (
        ("1,000 no-op tasks on Ray", "task", 1_000, no_ops, raw_no_ops, 1.2),
        ("chain of 200 tasks on Ray", "hop", 200, chain, raw_chain, 1.3),
        ("500 results into one task on Ray", "task", 501, fan_in, raw_fan_in, 1.3),
    ):
        yield Contest(
            name,
            unit,
            units,
            {"flow": lambda ours=ours, n=units: ours(n), "raw .remote": lambda raw=raw, n=units: raw(n)},
            promised=f"at most {promised} times raw Ray",
            rounds=9,
            around=_warm,
            cpu_time=family_cpu_time,
        )


def _warm() -> AbstractContextManager[object]:
    return RayTaskRunner(init_kwargs={"num_cpus": CPUS}).start()


def nothing(number: int) -> int:
    return number


def increment(number: int) -> int:
    return number + 1


def count(items: list[Any]) -> int:
    return len(items)


def count_all(*items: Any) -> int:
    return len(items)


no_op, incremented, counted = (task(function) for function in (nothing, increment, count))
remote_no_op, remote_increment, remote_count = (
    ray.remote(max_retries=0)(function) for function in (nothing, increment, count_all)
)


@flow(task_runner=RayTaskRunner())
def no_ops(n: int) -> None:
    for number in range(n):
        no_op.submit(number)


def raw_no_ops(n: int) -> None:
    ray.get([remote_no_op.remote(number) for number in range(n)])


@flow(task_runner=RayTaskRunner())
def chain(n: int) -> int:
    link: Any = 0
    for _ in range(n):
        link = incremented.submit(link)
    return link.result()


def raw_chain(n: int) -> int:
    link: Any = 0
    for _ in range(n):
        link = remote_increment.remote(link)
    return ray.get(link)


@flow(task_runner=RayTaskRunner())
def fan_in(n: int) -> int:
    return counted.submit([incremented.submit(number) for number in range(n - 1)]).result()


def raw_fan_in(n: int) -> int:
    return ray.get(remote_count.remote(*[remote_increment.remote(number) for number in range(n - 1)]))
