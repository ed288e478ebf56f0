"""Futures: what a submitted task gives back at once, and waiting for many of them."""

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast
from uuid import UUID

from runtime.clocks import Clock
from runtime.context import TASK_RUN, current_environment
from runtime.exceptions import WouldDeadlock
from runtime.history import Journal
from runtime.runs import TaskRun
from runtime.states import ResultReference, State
from runtime.waiting import LoopEvent, block

R = TypeVar("R")


class Control(Protocol):
    """What a future can ask of the engine while its run has not settled."""

    def cancel(self) -> None:
        """Ask the run to end."""

    def needs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether no attempt can be made unless this event loop turns."""
        ...

    @property
    def upstream(self) -> "Iterable[PrefectFuture[Any]]":
        """The runs that have to settle before an attempt can be made."""
        ...


class PrefectFuture(Generic[R]):
    """A task run on its way: ask for its state, wait for it, get its result.

    Where both flow and task are async, ``result`` and ``wait`` are to be awaited; everywhere else they
    block. ``result_async`` and ``wait_async`` are to be awaited in all cases.
    """

    __slots__ = ("__weakref__", "_asynchronous", "_callbacks", "_control", "_journal", "_state", "task_run")

    def __init__(
        self, task_run: TaskRun, journal: Journal, state: State, *, asynchronous: bool = False
    ) -> None:
        self.task_run = task_run
        self._journal = journal
        self._state = state
        self._asynchronous = asynchronous
        self._control: Control | None = None
        self._callbacks: list[Callable[[PrefectFuture[R]], object]] | None = []

    @property
    def clock(self) -> Clock:
        """The clock that waits for the run go by."""
        return self._journal.clock

    def get_state(self) -> State:
        """The state that the run is in now. Never blocks."""
        return self._state

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:
        """Wait, and return the task's result; raise its exception, or return it if so asked.

        Raises ``TimeoutError`` when there is none after ``timeout`` seconds, and ``UnfinishedRun`` where
        there will be none.
        """
        if self._asynchronous:
            return self.result_async(timeout, raise_on_failure)
        return self._result_of(self.wait_here(timeout), timeout, raise_on_failure=raise_on_failure)

    async def result_async(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Like :meth:`result`, awaitable in every flow."""
        state = await self.wait_async(timeout)
        if state is not None and isinstance(state.data, ResultReference) and not state.data.is_here:
            await asyncio.to_thread(state.data.fetch)  # it may be large: others have the loop meanwhile
        return cast("R", self._result_of(state, timeout, raise_on_failure=raise_on_failure))

    def wait(self, timeout: float | None = None) -> Any:
        """Wait, and return the last state; None when it is not reached after ``timeout`` seconds."""
        return self.wait_async(timeout) if self._asynchronous else self.wait_here(timeout)

    async def wait_async(self, timeout: float | None = None) -> State | None:
        """Like :meth:`wait`, awaitable in every flow."""
        if not self.settled:
            settled = LoopEvent()
            self.add_done_callback(settled.set)
            try:
                await settled.wait(timeout)
            finally:
                if not self.settled:
                    self.forget(settled.set)
        return self._state if self.settled else None

    def cancel(self) -> None:
        """Ask the run to end: at once where it has not started, else where its runner can stop it."""
        control = self._control
        if control is not None:
            control.cancel()

    @property
    def settled(self) -> bool:
        """Whether the run has reached its last state: a final one, or NotReady."""
        return self._callbacks is None

    def add_done_callback(self, callback: "Callable[[PrefectFuture[R]], object]") -> None:
        """Call ``callback(future)`` when the run settles, or now if it has.

        It is called on the thread that hears of it and must be quick. What it raises is logged.
        """
        if not self.when_settled(callback):
            callback(self)

    def when_settled(self, callback: "Callable[[PrefectFuture[R]], object]") -> bool:
        """Like :meth:`add_done_callback`, but does nothing and returns False where the run has settled."""
        with self._journal.lock:
            if self._callbacks is None:
                return False
            self._callbacks.append(callback)
            return True

    def forget(self, callback: "Callable[[PrefectFuture[R]], object]") -> None:
        """Do not call ``callback`` any more, if it was to be called."""
        with self._journal.lock:
            if self._callbacks is not None and callback in self._callbacks:
                self._callbacks.remove(callback)

    def enter(self, state: State) -> None:
        """For the engine: the run is in this state now."""
        self._state = state

    @property
    def control(self) -> Control | None:
        """Who moves the run; None once it has settled."""
        return self._control

    def attach(self, control: Control) -> None:
        """For the engine: this is who moves the run."""
        self._control = control

    def settle(self) -> "list[Callable[[PrefectFuture[R]], object]]":
        """For the engine, which holds the journal's lock: nothing follows. Returns who wants to know."""
        callbacks, self._callbacks = self._callbacks, None
        self._control = None
        return callbacks or []

    def needs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the run can only settle if this event loop turns."""
        return any(control.needs(loop) for control in _ahead_of([self]).values())

    def wait_here(self, timeout: float | None = None) -> State | None:
        """Like :meth:`wait`, but blocks in every flow. Raises ``WouldDeadlock`` where it would for ever."""
        if not self.settled:
            waiter = self._journal.clock.waiter()

            def wake(_: object) -> None:
                waiter.wake()

            with _holding_up([self], timeout):
                if self.when_settled(wake):
                    try:
                        block(waiter, timeout)
                    finally:
                        if not self.settled:
                            self.forget(wake)
        return self._state if self.settled else None

    def refuse_deadlock(self) -> None:
        """Raise ``WouldDeadlock`` where blocking here would hold up the very loop that the run needs."""
        loop = asyncio._get_running_loop()
        if loop is not None and self.needs(loop):
            raise WouldDeadlock(
                f"Waiting for task run '{self.task_run.name}' here would never end: it needs the "
                "event loop that this very call holds up. Use `await future.result_async()` or "
                "`await future.wait_async()`."
            )

    def _result_of(self, state: State | None, timeout: float | None, *, raise_on_failure: bool) -> Any:
        if state is None:
            raise TimeoutError(
                f"Task run '{self.task_run.name}' has no result after {timeout} second(s); "
                f"it is in state {self._state}."
            )
        return state.result(raise_on_failure=raise_on_failure)

    def __await__(self) -> "Generator[Any, None, PrefectFuture[R]]":
        """The future itself, for those used to ``await task.submit()``."""
        return self
        yield

    def __bool__(self) -> bool:
        warnings.warn(
            "A future is always true, whatever its result. Did you mean `future.result()`?",
            UserWarning,
            stacklevel=2,
        )
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PrefectFuture):
            return NotImplemented
        return self.task_run.id == other.task_run.id

    def __hash__(self) -> int:
        return hash(self.task_run.id)

    def __repr__(self) -> str:
        return f"PrefectFuture({self.task_run.name!r}, {self._state.name})"


class DoneAndNotDone(NamedTuple):
    """What :func:`wait` found, each in the order given."""

    done: "list[PrefectFuture[Any]]"
    not_done: "list[PrefectFuture[Any]]"


def wait(futures: "Iterable[PrefectFuture[Any]]", timeout: float | None = None) -> DoneAndNotDone:
    """Block until all have settled, at most ``timeout`` seconds."""
    given = list(futures)
    left = [future for future in dict.fromkeys(given) if not future.settled]
    if left:
        waiter = left[0].clock.waiter()
        with _holding_up(left, timeout), _called_when_all_settled(left, waiter.wake):
            block(waiter, timeout)
    return _sorted_out(given)


async def wait_async(
    futures: "Iterable[PrefectFuture[Any]]",
    timeout: float | None = None,
) -> DoneAndNotDone:
    """Like :func:`wait`, to be awaited."""
    given = list(futures)
    left = [future for future in dict.fromkeys(given) if not future.settled]
    if left:
        all_settled = LoopEvent()
        with _called_when_all_settled(left, all_settled.set):
            await all_settled.wait(timeout)
    return _sorted_out(given)


def as_completed(futures: "Iterable[PrefectFuture[R]]", timeout: float | None = None) -> "_Completions[R]":
    """The futures one by one, as they settle; to be used with ``for`` or ``async for``.

    Raises ``TimeoutError`` when some have not settled after ``timeout`` seconds.
    """
    return _Completions(futures, timeout)


class _Completions(Generic[R]):
    def __init__(self, futures: "Iterable[PrefectFuture[R]]", timeout: float | None) -> None:
        self._futures = list(dict.fromkeys(futures))
        self._timeout = timeout

    def __iter__(self) -> "Iterator[PrefectFuture[R]]":
        with _Arrivals(self._futures, self._timeout) as arrivals:
            while arrivals.left:
                while not arrivals.here:
                    arrivals.refuse_deadlock()
                    waiter = arrivals.clock.waiter()
                    arrivals.wake = waiter.wake
                    if not arrivals.here and not block(waiter, arrivals.remaining()):
                        raise arrivals.overdue()
                yield arrivals.next()

    async def __aiter__(self) -> "AsyncIterator[PrefectFuture[R]]":
        with _Arrivals(self._futures, self._timeout) as arrivals:
            while arrivals.left:
                while not arrivals.here:
                    event = LoopEvent()
                    arrivals.wake = event.set
                    if not arrivals.here and not await event.wait(arrivals.remaining()):
                        raise arrivals.overdue()
                yield arrivals.next()


class _Arrivals(Generic[R]):
    """Who has settled, while somebody iterates."""

    def __init__(self, futures: "list[PrefectFuture[R]]", timeout: float | None) -> None:
        #: those that were not handed out; a dictionary, since they may settle in any order
        self.left = dict.fromkeys(futures)
        #: those that have settled and were not handed out
        self.here: deque[PrefectFuture[R]] = deque()
        self.wake: Callable[[], object] = lambda: None
        self.clock = futures[0].clock if futures else current_environment().clock
        self._timeout = timeout
        self._deadline = None if timeout is None else self.clock.monotonic() + timeout
        self._may_block = False

    def __enter__(self) -> "_Arrivals[R]":
        for future in list(self.left):
            future.add_done_callback(self._hear)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for future in self.left:
            future.forget(self._hear)

    def next(self) -> "PrefectFuture[R]":
        """The first that has settled."""
        future = self.here.popleft()
        del self.left[future]
        return future

    def refuse_deadlock(self) -> None:
        """Raise ``WouldDeadlock`` where some could not settle while this thread blocks."""
        if not self._may_block:  # asked once: what needs nothing of this thread now will not do so later
            for future in self.left:
                future.refuse_deadlock()
            self._may_block = True

    def remaining(self) -> float | None:
        """Seconds until the deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - self.clock.monotonic())

    def overdue(self) -> TimeoutError:
        """The error that names those that are late."""
        names = [future.task_run.name for future in self.left]
        more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
        return TimeoutError(f"Not settled after {self._timeout} second(s): {', '.join(names[:5])}{more}")

    def _hear(self, future: "PrefectFuture[R]") -> None:
        self.here.append(future)
        self.wake()


class _HeldUp(NamedTuple):
    """What cannot go on while code blocks: an event loop, or the task run that the code belongs to."""

    loop: asyncio.AbstractEventLoop | None
    run: UUID | None
    #: what the code waits for, all of it
    futures: "list[PrefectFuture[Any]]"


@contextmanager
def _holding_up(futures: "list[PrefectFuture[Any]]", timeout: float | None) -> Generator[None]:
    """Block for ``futures`` inside. Raises ``WouldDeadlock`` where that would never end.

    It is noted first and looked at then: of two that are about to wait for each other, one sees it.
    """
    loop = asyncio._get_running_loop()
    task = TASK_RUN.get()
    if loop is None and (task is None or timeout is not None):
        yield
        return
    run = task.task_run.id if loop is None and task is not None else None
    place = object()
    if timeout is None:
        _held_up[place] = _HeldUp(loop, run, futures)
    try:
        if loop is not None:
            for future in futures:
                future.refuse_deadlock()
        elif run is not None:
            _refuse_deadlock_of(run, futures)
        yield
    finally:
        _held_up.pop(place, None)


def _refuse_deadlock_of(run: UUID, futures: "list[PrefectFuture[Any]]") -> None:
    """Raise ``WouldDeadlock`` where the run is blocked for by a loop that one of ``futures`` needs."""
    for held_up in list(_held_up.values()):
        loop = held_up.loop
        if loop is not None and run in _ahead_of(held_up.futures):
            for future in futures:
                if future.needs(loop):
                    raise WouldDeadlock(
                        f"Waiting for task run '{future.task_run.name}' here would never end: it needs an "
                        "event loop that is held up by code which waits for the task run here. There, use "
                        "`await future.result_async()` or `await future.wait_async()`."
                    )


def _ahead_of(futures: "Iterable[PrefectFuture[Any]]") -> dict[UUID, Control]:
    """Who moves the runs that have to settle before these have, themselves among them; by run.

    These are their upstream runs, and those that their code blocks for at the moment.
    """
    blocked_for = {held_up.run: held_up.futures for held_up in list(_held_up.values())}
    found: dict[UUID, Control] = {}
    agenda = list(futures)
    while agenda:
        future = agenda.pop()
        run, control = future.task_run.id, future.control
        if control is not None and run not in found:
            found[run] = control
            agenda.extend(control.upstream)
            agenda.extend(blocked_for.get(run, ()))
    return found


_held_up: dict[object, _HeldUp] = {}


@contextmanager
def _called_when_all_settled(
    futures: "list[PrefectFuture[Any]]", call: Callable[[], object]
) -> Generator[None]:
    """One call at the end rather than one for each: a thread that wakes costs more than a task run."""
    settled: deque[PrefectFuture[Any]] = deque()

    def heard(future: "PrefectFuture[Any]") -> None:
        settled.append(future)
        if len(settled) == len(futures):
            call()

    for future in futures:
        future.add_done_callback(heard)
    try:
        yield
    finally:
        for future in futures:
            if not future.settled:
                future.forget(heard)


def _sorted_out(futures: "list[PrefectFuture[Any]]") -> DoneAndNotDone:
    return DoneAndNotDone(
        [future for future in futures if future.settled], [future for future in futures if not future.settled]
    )
