"""Runs tasks on Ray: one remote call for an attempt, and results that stay where they are."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from itertools import count
from typing import Any
from uuid import uuid4

from runtime.envelope import Attempt
from runtime.futures import PrefectFuture
from runtime.lifecycle import Lost
from runtime.remote import Packer, Parcel, RemoteResult
from runtime.task_runners.ray.flights import Flight
from runtime.task_runners.ray.options import options_in
from runtime.task_runners.ray.results import RayResult
from runtime.task_runners.ray.sharing import join, leave
from runtime.task_runners.ray.worker import pack_call, remote_function
from runtime.task_runners.sending import SendingTaskRunner


class RayTaskRunner(SendingTaskRunner):
    """Runs tasks in parallel on Ray.

    Where this process is connected to a Ray, that one is used and left as it is. Otherwise the runner
    connects to ``address`` (``ray://host:port``, ``host:port`` or ``auto``; where there is none, the variable
    ``RAY_ADDRESS``), or starts a private instance for the length of the flow run. ``init_kwargs`` go to
    ``ray.init``.

    A private instance listens on the loopback interface alone, asks for a token, has no dashboard and
    keeps its files in a folder of its own, which is removed.
    """

    def __init__(self, address: str | None = None, init_kwargs: dict[str, Any] | None = None) -> None:
        for name in ("address", "ignore_reinit_error"):
            if init_kwargs and name in init_kwargs:
                raise ValueError(f"{name!r} cannot be in init_kwargs; there is the argument `address`.")
        super().__init__(address=address, init_kwargs=dict(init_kwargs or {}))
        self._address = address
        self._init_kwargs = dict(init_kwargs or {})

    def open(self) -> None:
        """Start Ray, connect to it, or find it."""
        self._packer = Packer()
        with ExitStack() as opened:
            self._flights = join(self._address, self._init_kwargs)
            opened.callback(leave, self._flights)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Bring home the results that somebody may still ask for, and end what :meth:`open` started."""
        self._opened.close()

    def foresee(self, attempt: Attempt) -> None:
        """Hand the attempt to Ray along with its upstream, where that is not too much."""
        if len(attempt.task_run.inputs) <= _AHEAD_WITH:
            super().foresee(attempt)

    def confirm(self, handle: Flight, otherwise: Callable[[], None]) -> None:
        """Let it count that the attempt was handed over, or call ``otherwise``."""
        self._flights.confirm(handle, otherwise)

    def stop(self, attempt: Attempt) -> None:
        """Interrupt the attempt; end its worker where that does not help."""
        flight: Flight | None = attempt.handle
        if flight is not None and self._flights.instance.lost is None:
            self._flights.cancel(flight)

    def send(self, attempt: Attempt, *, confirmed: bool) -> None:
        """Hand the attempt to Ray. Raises ``NotSerializable`` where it cannot travel."""
        flights = self._flights
        if flights.instance.lost is not None:
            if confirmed:
                attempt.report(Lost(attempt.number, flights.instance.lost))
            return
        id_ = f"{_PROCESS}-{next(_ids)}"
        packed = self._packer.pack(attempt, id_, self._refer)
        told_at_once = attempt.call.definition.policy.timeout is not None
        call = pack_call(
            id_,
            flights.mailbox(needed=told_at_once),
            packed.surroundings,
            packed.body,
            [_sent(handle) for handle in packed.upstream],
            told_at_once=told_at_once,
        )
        function = self._function(packed.definition, attempt.call.definition.name)
        options = options_in(attempt.context)
        if options:
            function = function.options(**options)
        upstream = [handle for handle in packed.upstream if isinstance(handle, Flight)]
        flight = Flight(id_, attempt, upstream, confirmed=confirmed)
        flights.expect(flight)
        try:
            flight.value, flight.report = function.remote(call, *_objects(packed.upstream))
        except BaseException:
            flights.forget(flight)
            raise
        flights.add(flight)
        attempt.handle = flight

    def _function(self, definition: Parcel, name: str) -> Any:
        shown = self._flights.instance.shows_tasks
        function = _functions.get((definition.key, shown))
        if function is None:
            while len(_functions) >= _FUNCTIONS_KEPT:
                _functions.pop(next(iter(_functions)), None)
            function = remote_function(definition, name, shown=shown)
            _functions[definition.key, shown] = function
        return function

    def _refer(self, future: "PrefectFuture[Any]") -> "Flight | RemoteResult | None":
        """An upstream run under way, or its result, as this Ray has it; None for a value from elsewhere."""
        if not future.settled:
            flight = self._flights.under_way(future.task_run)
            if flight is None:
                raise _NotOurs
            return flight
        result = future.get_state().data
        if isinstance(result, RemoteResult) and result.inline:
            return result
        return result if isinstance(result, RayResult) and result.instance is self._flights.instance else None


class _NotOurs(Exception):
    """An upstream run that is under way somewhere else, or about to be tried again."""


def _sent(handle: "Flight | RemoteResult") -> bytes | None:
    """The value, where it is known and small; otherwise Ray brings it."""
    return None if isinstance(handle, Flight) else handle.inline or None


def _objects(handles: "list[Flight | RayResult]") -> Generator[Any]:
    """Ray's references to what the worker needs."""
    for handle in handles:
        if isinstance(handle, Flight):
            yield handle.value
        elif not handle.inline:
            yield handle.ref


#: Attempts of many runners may come to the same worker, and those of many drivers to the same mailbox.
_PROCESS = uuid4().hex
_ids = count()
_FUNCTIONS_KEPT = 512
#: How many inputs an attempt has that is sent ahead. Ray takes longer to bring the objects of some more than
#: the driver to hear of them; and by then it knows which are small, and sends those along.
_AHEAD_WITH = 10
#: By the key of the task's code, and whether its runs are shown. For all flows of this process: Ray's own
#: table must not grow with them.
_functions: dict[tuple[str, bool], Any] = {}
