"""Which worker an attempt goes to."""

from collections.abc import Collection, Sequence

from simulators.clusters.cluster import Like
from simulators.clusters.needs import Needs
from simulators.clusters.workers import Kept, Worker

#: How full a node of Ray gets before others are looked at.
_PACKED = 0.5


def place(workers: Sequence[Worker], needs: Needs, upstream: Collection[Kept], like: Like) -> Worker | None:
    """The worker for an attempt; None where it has to wait.

    Like Dask: where most of what it needs lies already, then where least is going on. Like Ray: the first
    node that is less than half full, so that few nodes are used, else the one that is least so.
    """
    named = [worker for worker in workers if needs.workers is None or worker.name in needs.workers]
    if not named and not needs.strict:
        named = list(workers)
    free = [worker for worker in named if worker.has_room_for(needs)]
    if not free:
        return None
    if like == "ray":
        return min(free, key=lambda worker: max(_PACKED, _fullness(worker)))
    return max(free, key=lambda worker: (_bytes_there(worker, upstream), worker.free_threads))


def _fullness(worker: Worker) -> float:
    return 1 - worker.free_threads / worker.threads


def _bytes_there(worker: Worker, upstream: Collection[Kept]) -> int:
    return sum(len(kept.body) for kept in upstream if kept in worker.values)
