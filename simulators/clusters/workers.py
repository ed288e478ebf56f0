"""One simulated worker: what is free on it, and the values that it holds."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from runtime.context import Environment
from runtime.remote import Home
from simulators.clusters.needs import Needs

if TYPE_CHECKING:
    from simulators.clusters.flights import Flight


class Kept:
    """A result on the cluster, for as long as anybody refers to it."""

    __slots__ = ("__weakref__", "body", "is_lost", "task_run", "worker")

    def __init__(self, task_run: str, body: bytes, worker: "Worker") -> None:
        #: whose result it is
        self.task_run = task_run
        #: the value as bytes
        self.body = body
        #: where it was made
        self.worker = worker
        #: whether it went with that worker
        self.is_lost = False


class Worker:
    """One worker process."""

    def __init__(
        self, name: str, threads: int, resources: Mapping[str, float], environment: Environment
    ) -> None:
        self.name = name
        self.threads = threads
        self.free_threads: float = threads
        self.free = dict(resources)
        self.home = Home(environment)
        #: whether it can be given anything
        self.is_there = True
        #: what it has to say, while it cannot be reached
        self.unsent: list[tuple[Flight, Callable[[], object]]] | None = None
        self.flights: dict[Flight, None] = {}
        #: what it made and still has
        self.results: WeakSet[Kept] = WeakSet()
        #: values in its memory, its own ones and copies of those of others
        self.values: WeakKeyDictionary[Kept, Any] = WeakKeyDictionary()

    @property
    def used(self) -> int:
        """Bytes of results that it holds."""
        return sum(len(kept.body) for kept in self.results)

    def has_room_for(self, needs: Needs) -> bool:
        """Whether the attempt could begin here now."""
        return (
            self.is_there
            and self.free_threads >= needs.threads
            and all(self.free.get(name, 0) >= amount for name, amount in needs.resources.items())
        )

    def take(self, needs: Needs) -> None:
        """Give an attempt what it needs."""
        self._change(needs, -1)

    def give_back(self, needs: Needs) -> None:
        """Have it back."""
        self._change(needs, 1)

    def lose_results(self) -> None:
        """Nobody can have from it what it made."""
        for kept in self.results:
            kept.is_lost = True
        self.results.clear()
        self.values.clear()

    def _change(self, needs: Needs, sign: int) -> None:
        self.free_threads += sign * needs.threads
        for name, amount in needs.resources.items():
            self.free[name] = self.free.get(name, 0) + sign * amount

    def __repr__(self) -> str:
        return f"<Worker {self.name}>"
