"""Attempts on a simulated cluster: on their way there, on a worker, and as far as the driver hears of them.

What is done on a worker is done by the code of the real task runners' workers (``runtime.remote``). Each
attempt has a stack of its own from its submission on, so a run in which nobody can go on says who waits for
which worker.
"""

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from runtime.context import Environment
from runtime.envelope import Attempt
from runtime.exceptions import CrashedRun
from runtime.futures import PrefectFuture
from runtime.lifecycle import Lost
from runtime.remote import Message, PackedCall, Packer, RemoteResult, hear, run, stop
from runtime.remote.messages import RAISED
from runtime.remote.values import dump, pack_exception
from simulators.clusters.cluster import SimulatedCluster
from simulators.clusters.needs import Needs, needs_of
from simulators.clusters.placement import place
from simulators.clusters.workers import Kept, Worker
from simulators.faults import (
    ClockJump,
    ClusterLoss,
    Delay,
    DuplicateCall,
    DuplicateResult,
    Fault,
    Faults,
    LostResult,
    Moment,
    Partition,
    SlotLeak,
    TaskError,
    WorkerDeath,
)
from simulators.scheduling import OPERATIONS, Scheduler
from simulators.turns import Stack


class Flight:
    """One attempt on the cluster."""

    __slots__ = ("attempt", "call", "id", "needs", "order", "over", "path", "stack", "worker")

    def __init__(
        self,
        id: str,  # noqa: A002 - the word for it
        order: int,
        path: str,
        attempt: Attempt,
        call: PackedCall,
        needs: Needs,
    ) -> None:
        self.id = id
        self.order = order
        #: what decisions call the task run
        self.path = path
        self.attempt = attempt
        self.call = call
        self.needs = needs
        self.stack: Stack | None = None
        self.worker: Worker | None = None
        #: whether the driver expects nothing more of it
        self.over = False

    def __repr__(self) -> str:
        return str(self.needs)


class ClusterResult(RemoteResult):
    """A result on a simulated worker."""

    __slots__ = ("kept",)

    def __init__(self, inline: bytes, kept: Kept) -> None:
        super().__init__(inline)
        self.kept = kept

    def fetch_from_worker(self) -> Any:
        """The result. Raises ``CrashedRun`` where it is lost."""
        if self.kept.is_lost:
            raise CrashedRun(f"The result of task run '{self.kept.task_run}' was lost with its worker.")
        return pickle.loads(self.kept.body)  # noqa: S301 - written by our own worker


class Flights:
    """The attempts of one flow run on a cluster of its own."""

    def __init__(
        self, cluster: SimulatedCluster, scheduler: Scheduler, environment: Environment, faults: Faults
    ) -> None:
        self._cluster = cluster
        self._scheduler = scheduler
        self._environment = environment
        self._faults = faults
        self._packer = Packer()
        self._parcels: dict[str, bytes] = {}
        self._workers = [self._worker(f"worker-{n}") for n in range(cluster.workers)]
        self._queue: list[Flight] = []
        #: why there is no cluster any more
        self._lost = ""
        self._number = 0
        self._results: WeakSet[ClusterResult] = WeakSet()

    # In the driver

    def submit(self, attempt: Attempt) -> None:
        """Send the attempt. Raises ``NotSerializable`` where it cannot travel."""
        scheduler = self._scheduler
        self._number += 1
        path = scheduler.path_of(attempt.task_run)
        id_ = f"{path}-{self._number}"
        try:
            call = self._packer.pack(attempt, id_, self._refer)
        except CrashedRun as error:
            attempt.report(Lost(attempt.number, str(error)))
            return
        for parcel in (call.definition, call.surroundings):
            self._parcels[parcel.key] = parcel.body
        needs = needs_of(attempt, self._cluster.like)
        flight = attempt.handle = Flight(id_, self._number, path, attempt, call, needs)
        context = scheduler.context.copy()
        flight.stack = scheduler.spawn(scheduler.lane(path), lambda: context.run(self._fly, flight))
        if scheduler.recorder is not None:
            scheduler.recorder.follows(flight.stack, [given.task_run for given in attempt.task_run.inputs])
        if scheduler.level >= OPERATIONS:
            scheduler.pause("submit")

    def stop(self, attempt: Attempt) -> None:
        """End the attempt: in the queue, or on its worker."""
        flight: Flight | None = attempt.handle
        if flight is None or flight.over:
            return
        if flight.worker is not None:
            stop(flight.id, flight.worker.home)
            return
        flight.over = True
        if flight in self._queue:
            self._queue.remove(flight)
        if flight.stack is not None:
            self._scheduler.bury(flight.stack)

    def close(self) -> None:
        """Fetch what anybody still refers to: the cluster goes."""
        for result in self._results:
            if not result.is_here and not result.kept.is_lost:
                result.keep(result.fetch_from_worker())

    def _refer(self, future: "PrefectFuture[Any]") -> Kept | None:
        data = future.get_state().data
        if not isinstance(data, ClusterResult):
            return None
        if not data.kept.is_lost:
            return data.kept
        if data.is_here:
            return None
        raise CrashedRun(f"The result of upstream task run '{future.task_run.name}' was lost.")

    def _hear(self, flight: Flight, message: Message, kept: Kept | None) -> None:
        """Pass on what arrives, also late, or twice: it is the engine that knows what counts."""
        flight.over = flight.over or message.is_last
        hear(flight.attempt, message, lambda inline: self._result(inline, kept))

    def _result(self, inline: bytes, kept: Kept | None) -> ClusterResult:
        assert kept is not None
        result = ClusterResult(inline, kept)
        self._results.add(result)
        return result

    def _lose(self, flight: Flight, why: str) -> None:
        if not flight.over:
            flight.over = True
            flight.attempt.report(Lost(flight.attempt.number, why))

    # On the way

    def _worker(self, name: str) -> Worker:
        cluster = self._cluster
        return Worker(name, cluster.threads, cluster.resources, self._environment)

    def _later(self, seconds: float, path: str, do: Callable[[], object]) -> None:
        """Have something done after so much virtual time."""
        scheduler = self._scheduler
        scheduler.set_alarm(scheduler.now + seconds, Stack(scheduler.lane(path), "alarm", do))

    def _say(self, flight: Flight, worker: Worker, message: Message, kept: Kept | None = None) -> None:
        """Let the driver hear something, when it has travelled."""
        say = partial(self._hear, flight, message, kept)
        if self._scheduler.ending:
            return
        if worker.unsent is not None:
            worker.unsent.append((flight, say))
        elif self._cluster.latency:
            self._later(self._cluster.latency, flight.path, say)
        else:
            say()

    def _serve(self) -> None:
        """Give those who wait what they wait for, the most urgent first."""
        for flight in sorted(self._queue, key=lambda waiting: (-waiting.needs.priority, waiting.order)):
            if self._take(flight):
                self._queue.remove(flight)
                assert flight.stack is not None
                self._scheduler.wake(flight.stack)

    def _take(self, flight: Flight) -> bool:
        self._scheduler.touch(self)
        upstream: list[Kept] = flight.call.upstream
        worker = place(self._workers, flight.needs, upstream, self._cluster.like)
        if worker is None:
            return False
        worker.take(flight.needs)
        worker.flights[flight] = None
        flight.worker = worker
        if flight.stack is not None:
            flight.stack.at_mercy_of = worker
        return True

    def _free(self, flight: Flight, worker: Worker) -> None:
        self._scheduler.touch(self)
        del worker.flights[flight]
        worker.give_back(flight.needs)
        self._serve()

    # On a worker

    def _fly(self, flight: Flight) -> None:
        """All that is done on the attempt's own stack."""
        scheduler, cluster = self._scheduler, self._cluster
        if not self._take(flight):
            if self._lost:
                self._lose(flight, self._lost)
                return
            self._queue.append(flight)
            while flight.worker is None:
                scheduler.block("wait", flight)
        if cluster.latency:
            scheduler.block("sleep", "its call to arrive", cluster.latency)
        worker = flight.worker
        assert worker is not None
        try:
            self._make(flight, worker)
        except _Died:
            return

    def _make(self, flight: Flight, worker: Worker) -> None:
        lost = next((kept for kept in flight.call.upstream if kept.is_lost), None)
        if lost is not None:
            self._free(flight, worker)
            self._lose(flight, f"The result of its upstream run '{lost.task_run}' was lost with its worker.")
            return
        fault = self._risk(flight, worker, "before")
        last, kept = _failed(fault, worker) if isinstance(fault, TaskError) else self._outcome(flight, worker)
        fault = self._risk(flight, worker, "after")
        if isinstance(fault, TaskError):
            last, kept = _failed(fault, worker)
        elif isinstance(fault, DuplicateCall):
            last, kept = self._outcome(flight, worker)
        if self._scheduler.level >= OPERATIONS:
            self._scheduler.pause("finish")
        if not isinstance(fault, SlotLeak):
            self._free(flight, worker)
        if isinstance(fault, LostResult):
            why = "The task ended, but the report of its outcome did not arrive."
            self._later(self._cluster.patience, flight.path, partial(self._lose, flight, why))
            return
        self._say(flight, worker, last, kept)
        if isinstance(fault, DuplicateResult):
            self._say(flight, worker, last, kept)
        self._risk(flight, worker, "reported")

    def _outcome(self, flight: Flight, worker: Worker) -> tuple[Message, Kept | None]:
        """Make the attempt; what is to be said of it, and its value."""
        last, value = run(
            flight.call.body,
            [self._value(worker, kept) for kept in flight.call.upstream],
            self._parcels.__getitem__,
            worker.name,
            partial(self._say, flight, worker),
            worker.home,
        )
        if self._scheduler.ending:  # this is no more than what is left of the stack
            raise _Died
        if not last.has_value:
            return last, None
        kept = Kept(flight.attempt.task_run.name, dump(value), worker)
        worker.results.add(kept)
        worker.values[kept] = value
        memory = self._cluster.memory
        if memory is not None and worker.used > memory:
            self._die(worker, f"Its results took more than {memory} bytes (memory limit).")
            raise _Died
        return last, kept

    def _value(self, worker: Worker, kept: Kept) -> Any:
        """An upstream's value. A worker of Dask gives one object to all who need it there."""
        if self._cluster.like == "ray":
            return pickle.loads(kept.body)  # noqa: S301 - written by our own worker
        if kept not in worker.values:
            worker.values[kept] = pickle.loads(kept.body)  # noqa: S301 - written by our own worker
        return worker.values[kept]

    # What goes wrong

    def _risk(self, flight: Flight, worker: Worker, moment: Moment) -> Fault | None:
        """A fault may strike here; the one that did. Raises ``_Died`` where the worker is gone."""
        name = self._scheduler.risk(self._faults.offered(moment, flight.path))
        if name is None:
            return None
        fault = self._faults.of(name)
        if name == "WorkerDeath.during":
            lane = self._scheduler.new_lane(f"{flight.path}!WorkerDeath")
            self._scheduler.spawn(lane, partial(self._die_during, flight, worker), "alarm")
        elif isinstance(fault, WorkerDeath):
            self._die(worker, "Its process was killed.")
            raise _Died
        elif isinstance(fault, ClusterLoss):
            self._lose_cluster()
            raise _Died
        elif isinstance(fault, Delay):
            self._scheduler.block("sleep", "time to pass", fault.seconds)
        elif isinstance(fault, ClockJump):
            self._scheduler.clock_set_by += fault.seconds
        elif isinstance(fault, Partition):
            self._cut_off(worker, fault.seconds)
        return fault

    def _die_during(self, flight: Flight, worker: Worker) -> None:
        self._scheduler.touch(self)
        if flight in worker.flights:
            self._die(worker, "Its process was killed.")

    def _die(self, worker: Worker, cause: str) -> None:
        """The worker's process ends; who calls this on a stack of that worker does no more there."""
        flights = self._end(worker)
        if self._cluster.restart is not None:
            self._later(self._cluster.restart, worker.name, partial(self._join, worker.name))
        for flight in flights:
            self._lose(flight, f"The worker {worker.name} died while it had the task. {cause}")

    def _end(self, worker: Worker) -> list[Flight]:
        """End the worker's process; returns what was under way there."""
        scheduler, flights = self._scheduler, list(worker.flights)
        scheduler.touch(self)
        scheduler.touch(worker)
        worker.is_there = False
        worker.flights.clear()
        worker.lose_results()
        self._workers.remove(worker)
        for flight in flights:
            if flight.stack is not None and flight.stack is not scheduler.current:
                scheduler.bury(flight.stack)
        return flights

    def _lose_cluster(self) -> None:
        """The scheduler ends: nothing on the cluster can be reached any more."""
        self._scheduler.touch(self)
        self._lost = "The cluster is lost: its scheduler ended."
        waiting, self._queue = self._queue, []
        for flight in waiting:
            if flight.stack is not None:
                self._scheduler.bury(flight.stack)
        under_way = [flight for worker in self._workers for flight in worker.flights]
        for worker in list(self._workers):
            self._end(worker)
        for flight in (*under_way, *waiting):
            self._lose(flight, self._lost)

    def _join(self, name: str) -> None:
        """A new worker takes the place of one that died."""
        self._scheduler.touch(self)
        if self._lost:
            return
        self._workers.append(self._worker(name))
        self._workers.sort(key=lambda worker: worker.name)
        self._serve()

    def _cut_off(self, worker: Worker, seconds: float) -> None:
        """The worker cannot be reached, and goes on."""
        self._scheduler.touch(self)
        worker.is_there = False
        worker.unsent = []
        self._later(self._cluster.patience, worker.name, partial(self._give_up, worker))
        self._later(seconds, worker.name, partial(self._reach_again, worker))

    def _give_up(self, worker: Worker) -> None:
        self._scheduler.touch(self)
        if worker.unsent is not None:
            worker.lose_results()
            for flight in dict.fromkeys([*worker.flights, *(flight for flight, _ in worker.unsent)]):
                self._lose(flight, f"The worker {worker.name} cannot be reached any more.")

    def _reach_again(self, worker: Worker) -> None:
        """It can be reached again, and what it had to say arrives, wanted or not."""
        self._scheduler.touch(self)
        unsent, worker.unsent = worker.unsent, None
        worker.is_there = worker in self._workers
        for _, say in unsent or ():
            say()
        self._serve()


class _Died(BaseException):
    """The worker is gone, and with it all that its stacks would still do."""


def _failed(fault: TaskError, worker: Worker) -> tuple[Message, None]:
    return Message(RAISED, worker.name, pack_exception(fault.error(fault.message))), None
