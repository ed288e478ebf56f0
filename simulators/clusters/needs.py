"""What an attempt needs of a worker, as users of Dask and of Ray say it.

Whoever said something has imported the library in question; where it is not imported there is nothing to ask.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from runtime.envelope import Attempt
from simulators.clusters.cluster import Like

#: How Ray's options are called as resources.
_RAY = {"num_cpus": "CPU", "num_gpus": "GPU"}
THREADS = "CPU"


@dataclass(frozen=True, slots=True)
class Needs:
    """What an attempt takes of a worker for as long as it is made there."""

    #: threads, as a worker counts them
    threads: float = 1
    resources: Mapping[str, float] = field(default_factory=dict[str, float])
    #: higher ones go first
    priority: float = 0
    #: the names of workers that it may be made on; None: any
    workers: Collection[str] | None = None
    #: whether other workers will do where none of those is there
    strict: bool = True

    def __str__(self) -> str:
        parts = [f"{name}={amount:g}" for name, amount in self.resources.items()]
        where = f" among {', '.join(sorted(self.workers))}" if self.workers is not None else ""
        free = "1 free thread" if self.threads == 1 else f"{self.threads:g} free threads"
        return f"a worker{where} with {' and '.join([free, *parts])}"


def needs_of(attempt: Attempt, like: Like) -> Needs:
    """What ``dask.annotate`` or ``remote_options`` said around the submitter."""
    return _said_to_dask(attempt) if like == "dask" else _said_to_ray(attempt)


def _said_to_dask(attempt: Attempt) -> Needs:
    dask: Any = sys.modules.get("dask.base")
    said: dict[str, Any] = attempt.context.run(dask.get_annotations) if dask is not None else {}
    workers: Any = said.get("workers")
    return Needs(
        resources=said.get("resources") or {},
        priority=said.get("priority", 0),
        workers=[workers] if isinstance(workers, str) else workers,
        strict=not said.get("allow_other_workers"),
    )


def _said_to_ray(attempt: Attempt) -> Needs:
    ray: Any = sys.modules.get("runtime.task_runners.ray.options")
    said: dict[str, Any] = ray.options_in(attempt.context) if ray is not None else {}
    resources = dict(cast("dict[str, float]", said.get("resources") or {}))
    for option, name in _RAY.items():
        if option in said:
            resources[name] = said[option]
    threads = resources.pop(THREADS, 1)
    return Needs(threads=threads, resources=resources)
