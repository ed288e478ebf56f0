"""What a task run costs on Dask, beside raw Dask: driver, scheduler and workers together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster

from benchmarks.contests import Contest, family_cpu_time
from runtime import flow, task
from runtime.task_runners import DaskTaskRunner

KINDS: dict[str, dict[str, Any]] = {
    "threads": {"processes": False, "n_workers": 1, "threads_per_worker": 2},
    "processes": {"processes": True, "n_workers": 2, "threads_per_worker": 1},
}
ANY_PORT = {"dashboard_address": "127.0.0.1:0"}


def contests() -> Iterator[Contest]:
    """No-op tasks, a chain, many results into one task, one task at a time; and a cluster of its own."""
    for kind, options in KINDS.items():
        warm = Warm(options)
        for name, unit, units, ours, raw, promised in (
            ("1,000 no-op tasks", "task", 1_000, no_ops, raw_no_ops, "at most 1.15 times raw Dask"),
            ("chain of 200 tasks", "hop", 200, chain, raw_chain, "at most 1.3 times raw Dask"),
            ("500 results into one task", "task", 501, fan_in, raw_fan_in, "at most 1.3 times raw Dask"),
            ("100 tasks one at a time", "task", 100, turns, raw_turns, ""),
        ):
            yield Contest(
                f"{name} on Dask {kind}",
                unit,
                units,
                {"flow": warm.flow(ours, units), "raw submit": warm.raw(raw, units)},
                promised=promised,
                rounds=5,
                around=warm.cluster,
                cpu_time=family_cpu_time,
            )
    yield Contest(
        "a cluster of threads, started and stopped",
        "cluster",
        1,
        {"flow": temporary, "LocalCluster and Client": raw_temporary},
        promised="at most 1.5 times raw Dask",
        cpu_time=family_cpu_time,
    )


class Warm:
    """A cluster that both contestants use."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = {**options, **ANY_PORT}

    @contextmanager
    def cluster(self) -> Iterator[None]:
        with LocalCluster(**self._options) as cluster, Client(cluster, set_as_default=False) as client:
            self._runner = DaskTaskRunner(cluster=cluster)
            self._client = client
            yield

    def flow(self, work: Callable[[int], object], units: int) -> Callable[[], object]:
        return lambda: flow(work, task_runner=self._runner)(units)

    def raw(self, work: Callable[[Client, int], object], units: int) -> Callable[[], object]:
        return lambda: work(self._client, units)


def same(number: int) -> int:
    return number


def add_up(numbers: list[int]) -> int:
    return sum(numbers)


passed_on, added_up = task(same), task(add_up)


def no_ops(n: int) -> None:
    for future in [passed_on.submit(number) for number in range(n)]:
        future.result()


def raw_no_ops(client: Client, n: int) -> None:
    client.gather([client.submit(same, number, pure=False) for number in range(n)])


def chain(n: int) -> None:
    link: Any = 0
    for _ in range(n):
        link = passed_on.submit(link)
    link.result()


def raw_chain(client: Client, n: int) -> None:
    link: Any = 0
    for _ in range(n):
        link = client.submit(same, link, pure=False)
    link.result()


def fan_in(n: int) -> None:
    added_up.submit([passed_on.submit(number) for number in range(n - 1)]).result()


def raw_fan_in(client: Client, n: int) -> None:
    parts = [client.submit(same, number, pure=False) for number in range(n - 1)]
    client.submit(add_up, parts, pure=False).result()


def turns(n: int) -> None:
    for number in range(n):
        passed_on.submit(number).result()


def raw_turns(client: Client, n: int) -> None:
    for number in range(n):
        client.submit(same, number, pure=False).result()


@flow(task_runner=DaskTaskRunner(cluster_kwargs={**KINDS["threads"], **ANY_PORT}))
def temporary() -> int:
    return 0


def raw_temporary() -> None:
    with LocalCluster(**KINDS["threads"], **ANY_PORT) as cluster, Client(cluster):
        pass
