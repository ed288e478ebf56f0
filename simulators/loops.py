"""The simulated event loop: asyncio's tasks and futures as they are, on callbacks that take turns."""

import asyncio
import asyncio.taskgroups
import logging
import sys
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from inspect import iscoroutine
from types import BuiltinFunctionType
from typing import Any, NoReturn, TypeVar, cast

import anyio._backends._asyncio

import runtime.waiting
from runtime.context import FLOW_RUN
from runtime.envelope import Attempt
from simulators.exceptions import OutsideControl
from simulators.scheduling import Scheduler
from simulators.turns import Lane, LoopTurn, Stack

T = TypeVar("T")

#: Code whose callbacks are wiring: they only pass on what was decided elsewhere.
_WIRING = ("asyncio", "anyio", "runtime", "simulators", "concurrent", "contextlib")


class SimulatedLoop(asyncio.AbstractEventLoop):
    """An event loop without a selector, whose ready callbacks wait for their turns with everything else.

    A step of a task is a turn. So is a callback of the user's own. Callbacks of asyncio itself, which wake
    a task when another has ended, for example, decide nothing and are called at once, in order.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        #: where it runs; a stack of no meaning while it does not
        self.stack: Stack = _NOWHERE
        #: what it was woken for
        self.todo: LoopTurn | None = None
        #: the turn that is being taken
        self._turn: LoopTurn | None = None
        #: the position of the event in which that began
        self._turn_began = -1
        #: its turns while they cannot be taken: it does not run, or stands in the middle of one
        self._held: list[LoopTurn] | None = []
        self._lanes: dict[asyncio.Task[Any], Lane] = {}
        self._new_lane: Lane | None = None
        #: what :meth:`time` shows at the start
        self._origin = 0.0
        self._stopping = False
        self._closed = False
        self._handler: Any = None
        self._task_factory: Any = None
        self._asyncgens: dict[Any, None] = {}
        self._tasks = 0

    @property
    def face(self) -> Any:
        """The loop as tasks and futures know it."""
        return self

    # ---- turns

    def add(self, turn: LoopTurn) -> None:
        """One more turn, to be taken when the loop is free."""
        lane = turn.lane
        lane.count = turn.number = lane.count + 1
        if self._held is None:
            self._scheduler.put(turn)
        else:
            self._held.append(turn)

    def drop(self, turn: LoopTurn) -> None:
        """Forget a turn."""
        if not self._scheduler.forget(turn) and self._held is not None and turn in self._held:
            self._held.remove(turn)

    @property
    def held(self) -> Sequence[LoopTurn]:
        """The turns that cannot be taken now."""
        return self._held or ()

    def hold(self) -> None:
        """The loop stands in the middle of a turn: the others cannot be taken."""
        scheduler = self._scheduler
        self._held = held = [
            turn
            for turns in (scheduler.eager, scheduler.pending, scheduler.later)
            for turn in turns
            if type(turn) is LoopTurn and turn.loop is self
        ]
        for turn in held:
            scheduler.forget(turn)

    def stays_taken(self) -> None:
        """The event is over, and the turn that it began, or went on with, is not."""
        recorder = self._scheduler.recorder
        if recorder is not None and self._held is not None:
            recorder.touch(self, free=recorder.index == self._turn_began)

    def let_go(self) -> None:
        """The loop runs again."""
        held, self._held = self._held, None
        for turn in held or ():
            self._scheduler.put(turn)

    # ---- running

    def run_forever(self) -> None:
        """Run until stopped."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        if self.stack is not _NOWHERE or asyncio._get_running_loop() is not None:
            raise RuntimeError("This event loop is already running")
        scheduler = self._scheduler
        self.stack = stack = scheduler.current
        scheduler.loops[self] = None
        stack.loop = self
        stack.running = self
        asyncio._set_running_loop(self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._asyncgens.setdefault, self._finalise)
        self.let_go()
        try:
            while not self._stopping:
                self.take_turn()
        finally:
            self._stopping = False
            self.hold()
            stack.lane = stack.home
            stack.loop = stack.running = None
            self.stack = _NOWHERE
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def take_turn(self) -> None:
        """Let others go on until there is something for this loop to do, and do that."""
        turn = self._scheduler.next_of(self)
        if turn is None or turn.callback is None:
            return
        self.stack.lane = turn.lane
        self._turn = turn
        recorder = self._scheduler.recorder
        if recorder is not None:
            self._turn_began = recorder.index
            recorder.begin_callback(turn)
        try:
            turn.context.run(turn.callback, *turn.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except Exception as error:  # callbacks may raise anything
            self.call_exception_handler(
                {"message": f"Exception in callback {turn.callback!r}", "exception": error}
            )
        finally:
            self._turn = None
            if recorder is not None:
                recorder.end_callback()
                if recorder.index != self._turn_began:
                    self._scheduler.touch(self)

    def run_until_complete(self, future: Any) -> Any:
        """Run until the future is done; returns its result."""
        task = (
            self._entered(future) if asyncio.iscoroutine(future) else asyncio.ensure_future(future, loop=self)
        )
        task.add_done_callback(self._stop_after)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(self._stop_after)
            if self._scheduler.ending and asyncio.iscoroutine(future):
                future.close()  # what cleans up after code that was left over never gets a turn
        if not task.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return task.result()

    def stop(self) -> None:
        """Stop after the current callback."""
        self._stopping = True

    def is_running(self) -> bool:
        """Whether it runs."""
        return self.stack is not _NOWHERE

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Close it."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self._closed = True
        self._held = []
        self._lanes.clear()

    def cancel_all(self) -> None:
        """Cancel what still runs on it, and see that through, as ``asyncio.run`` does."""
        tasks = [task for _, task in self.unfinished()]
        if self._scheduler.ending:
            for task in tasks:
                # Nothing can be seen through any more. Ended here and now, it does not end in another run.
                task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
                with suppress(RuntimeError):  # one that goes on awaiting, whatever it is told
                    cast("Coroutine[Any, Any, Any]", task.get_coro()).close()
            return
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def unfinished(self) -> list[tuple[Lane, asyncio.Task[Any]]]:
        """The tasks that still run on it."""
        return [(lane, task) for task, lane in self._lanes.items() if not task.done()]

    async def shutdown_asyncgens(self) -> None:
        """Close all asynchronous generators."""
        generators, self._asyncgens = list(self._asyncgens), {}
        for generator in generators:
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none: each job has a stack of its own."""

    # ---- callbacks

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call it in one of the next turns."""
        task = getattr(callback, "__self__", None)
        scheduler = self._scheduler
        if isinstance(task, asyncio.Task) and getattr(callback, "__name__", "task_wakeup") == "task_wakeup":
            lane = self._lanes.get(cast("asyncio.Task[Any]", task))
            if lane is None:  # in its making
                lane = self._lanes[task] = self._new_lane or scheduler.child_lane()
                self._new_lane = None
                kind = "start"
            else:
                waited = args and _waited_for_others(cast("asyncio.Task[Any]", task), *args)
                kind = "wait" if waited else "step"
        else:
            if self._closed:
                raise RuntimeError("Event loop is closed")
            lane = scheduler.current.lane
            kind = "callback" if _is_wiring(callback) else "step"
            turn = self._turn
            if turn is not None and turn.callback == callback and kind == "callback":
                kind = "again"
        turn = LoopTurn(lane, kind, self, callback, args, context if context is not None else copy_context())
        lane.count = turn.number = lane.count + 1
        if scheduler.recorder is not None:
            scheduler.recorder.makes_possible(turn)
        if self._held is None:
            scheduler.put(turn)
        else:
            self._held.append(turn)
        return turn

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call it after ``delay`` seconds of virtual time."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call it when :meth:`time` has reached ``when``."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        scheduler = self._scheduler
        kind = "callback" if getattr(callback, "__name__", "") == "_set_result_unless_cancelled" else "alarm"
        turn = LoopTurn(
            scheduler.current.lane,
            kind,
            self,
            callback,
            args,
            context if context is not None else copy_context(),
        )
        timer = Timer(turn, when)
        moment = when - self._origin
        if moment <= scheduler.now:
            self.add(turn)
        else:
            timer.alarm = scheduler.set_alarm(moment, turn)
        return timer

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._origin + self._scheduler.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """Call ``func`` on a stack of its own, whatever the executor."""
        if executor is not None:
            return asyncio.wrap_future(executor.submit(func, *args), loop=self.face)
        future: asyncio.Future[T] = self.create_future()

        def settle(set_it: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                set_it(value)

        def run() -> None:
            try:
                result = func(*args)
            except Exception as error:  # the caller of `result()` gets it
                self.call_soon_threadsafe(settle, future.set_exception, error)
            else:
                self.call_soon_threadsafe(settle, future.set_result, result)

        scheduler = self._scheduler
        scheduler.spawn(scheduler.child_lane(), partial(scheduler.context.copy().run, run))
        return future

    # ---- tasks and futures

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self.face)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        **options: Any,
    ) -> "asyncio.Task[T]":
        """A task of this loop, on a lane of its own."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        self._new_lane = self._new_lane or self._lane_of(coro, options.get("context"))
        self._tasks += 1
        if name is None:  # asyncio would count through all loops of the process
            name = f"Task-{self._tasks}"
        if self._task_factory is None:
            return SimulatedTask(self._tasks, coro, loop=self.face, name=name, **options)
        task = self._task_factory(self.face, coro, **options)
        task.set_name(name)
        return task

    def set_task_factory(self, factory: Any) -> None:
        """Make tasks otherwise."""
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        """How tasks are made; None: as usual."""
        return self._task_factory

    def get_debug(self) -> bool:
        """Never."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """There is nothing to see."""

    # ---- what went wrong

    def get_exception_handler(self) -> Any:
        """Who hears of exceptions that reach the loop."""
        return self._handler

    def set_exception_handler(self, handler: Any) -> None:
        """Let ``handler`` hear of exceptions that reach the loop."""
        self._handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log it."""
        if not self._scheduler.ending and not self._closed:
            _LOG.error(context.get("message"), exc_info=context.get("exception"))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell whoever is to hear of it."""
        if self._handler is None or self._scheduler.ending:
            self.default_exception_handler(context)
        else:
            self._handler(self, context)

    def _entered(self, coroutine: Any) -> "asyncio.Task[Any]":
        """A task that stands for the code that runs the loop, on its lane."""
        self._new_lane = self._scheduler.current.lane
        return self.create_task(coroutine)

    def _stop_after(self, future: "asyncio.Future[Any]") -> None:
        if future.cancelled() or not isinstance(future.exception(), SystemExit | KeyboardInterrupt):
            self.stop()

    def _finalise(self, generator: Any) -> None:
        self._asyncgens.pop(generator, None)
        if not self._closed and not self._scheduler.ending:
            self.call_soon_threadsafe(self.create_task, generator.aclose())

    def _lane_of(self, coro: Any, context: Context | None) -> Lane:
        scheduler = self._scheduler
        if getattr(coro, "cr_code", None) is _ATTEMPT:
            attempt: Attempt = coro.cr_frame.f_locals["self"]
            return scheduler.lane(scheduler.path_of(attempt.task_run))
        if context is not None:
            flow = context.get(FLOW_RUN)
            if flow is not None and flow is not FLOW_RUN.get():
                return scheduler.lane(scheduler.path_of(flow.flow_run))
        return scheduler.child_lane()


class SimulatedTask(asyncio.Task[T]):
    """A task whose hash is no address, so that sets of tasks come in the same order every time."""

    def __init__(self, number: int, coro: Any, **options: Any) -> None:
        self._number = number  # first, since the loop looks the task up while it is made
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class Timer:
    """A callback at a moment."""

    __slots__ = ("_turn", "_when", "alarm")

    def __init__(self, turn: LoopTurn, when: float) -> None:
        self._turn = turn
        self._when = when
        self.alarm: Any = None

    def when(self) -> float:
        """The moment, by the loop's own time."""
        return self._when

    def cancel(self) -> None:
        """Never call it."""
        self._turn.cancel()
        if self.alarm is not None:
            self.alarm.turn = None

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._turn.cancelled()


def _is_wiring(callback: Any) -> bool:
    function = getattr(callback, "func", callback)
    if isinstance(function, BuiltinFunctionType):
        return True
    module = getattr(function, "__module__", None)
    if module is None:
        return True
    known = _wiring.get(module)
    if known is None:
        known = _wiring[module] = module.partition(".")[0] in _WIRING
    return known


def awaited_by(coroutine: Any) -> Any:
    """What a coroutine or generator waits for; None where it does not wait.

    CPython 3.12 reads memory that is not there when it is asked so of one that runs.
    """
    if getattr(coroutine, "cr_suspended", False):
        return coroutine.cr_await
    if getattr(coroutine, "gi_suspended", False):
        return coroutine.gi_yieldfrom
    return None


def _waited_for_others(task: "asyncio.Task[Any]", awaited: Any) -> bool:
    """Whether a task that is woken has waited for the end of runs or of tasks, not for time or a lock."""
    if isinstance(awaited, asyncio.Task | _Gathering):
        return True
    waits: Any = task.get_coro()
    while iscoroutine(inner := awaited_by(waits)):
        waits = inner
    code = getattr(waits, "cr_code", None)
    return code is not None and (code.co_filename, code.co_qualname) in _WAITS_FOR_OTHERS


def _refused(name: str) -> Any:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise OutsideControl(f"loop.{name}(): sockets, processes and signals are outside of a simulation")

    return refuse


for _name in """
    create_connection create_datagram_endpoint create_server create_unix_connection create_unix_server
    connect_accepted_socket connect_read_pipe connect_write_pipe subprocess_exec subprocess_shell
    sendfile start_tls add_reader add_writer remove_reader remove_writer getaddrinfo getnameinfo
    sock_accept sock_connect sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall
    sock_sendfile sock_sendto add_signal_handler remove_signal_handler
""".split():
    setattr(SimulatedLoop, _name, _refused(_name))

_wiring: dict[str, bool] = {}
_LOG = logging.getLogger("asyncio")
_ATTEMPT = Attempt.run_async.__code__
_Gathering = asyncio.tasks._GatheringFuture  # pyright: ignore
#: How code that waits for others to end is called, in all versions of Python.
_WAITS_FOR_OTHERS = frozenset(
    (module.__file__, name)
    for module, names in (
        (runtime.waiting, ("LoopEvent._wait",)),
        (asyncio.tasks, ("_wait", "wait_for")),
        (asyncio.taskgroups, ("TaskGroup.__aexit__", "TaskGroup._aexit")),
        (anyio._backends._asyncio, ("TaskGroup.__aexit__",)),
    )
    for name in names
)
_NOWHERE = Stack(Lane("nowhere"), "nowhere", None)
