"""Tasks that take turns: sync ones in threads that anyio keeps, async ones on an event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context
from queue import SimpleQueue

from anyio import CapacityLimiter, to_thread

from runtime.envelope import Attempt
from runtime.logging import ENGINE
from runtime.task_runners.base import BaseTaskRunner, TaskConcurrencyType
from runtime.task_runners.loops import LoopAttempts
from runtime.waiting import SLOT

#: as many threads as anyio allows by default
DEFAULT_THREADS = 40


class ConcurrentTaskRunner(BaseTaskRunner):
    """Runs tasks concurrently. It is the runner of flows that declare none.

    At most ``max_workers`` tasks run at the same time, sync and async ones together. Without it, 40 sync
    tasks do, and any number of async ones. A task that waits for another one does not count.

    Why threads with a queue
    ------------------------
    ``to_thread.run_sync`` for each task costs ten times a plain pool's hand-off. So it starts each
    thread once, and the thread then takes attempts from a queue: ``anyio.from_thread`` works in tasks,
    and handing over stays cheap.

    Why threads call each other
    ---------------------------
    Short tasks need the interpreter more than they need threads. A hand-off that wakes a thread for each
    attempt makes forty threads stand in each other's way: each task then cost two context switches and
    twice the time. So at most one thread is on its way to the queue at any time, woken or new. When it
    arrives, and finds more than it takes, it calls the next. Where attempts block, all threads are there
    within milliseconds; where they compute, the one that has the interpreter takes one after the other.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and (type(max_workers) is not int or max_workers < 1):
            raise ValueError(f"max_workers must be 1 or more, or None, not {max_workers!r}")
        super().__init__(max_workers=max_workers)
        self._bounds_async = max_workers is not None
        self._slots = DEFAULT_THREADS if max_workers is None else max_workers

    @property
    def concurrency_type(self) -> TaskConcurrencyType:
        """Concurrent."""
        return TaskConcurrencyType.CONCURRENT

    def open(self) -> None:
        """Nothing is started before it is needed."""
        self._lock = self.environment.threads.lock()
        #: slots that nobody holds; negative while those who gave theirs back have taken them again
        self._free = self._slots
        self._waiting: deque[Attempt] = deque()
        #: attempts that have a slot, and wait for a thread
        self._queue: deque[Attempt] = deque()
        #: whether a thread is on its way to the queue; there is one whenever an attempt waits
        self._called = False
        #: where each thread that waits hears that it is called, or that the runner closes
        self._idle: list[SimpleQueue[None]] = []
        self._threads: dict[threading.Thread, Attempt | None] = {}
        #: what the loop that keeps the threads is at
        self._keeping: set[asyncio.Task[None]] = set()
        self._abandoned: set[Attempt] = set()
        #: threads that were started, and what each puts down when it arrives
        self._started = 0
        self._arrived: SimpleQueue[None] = SimpleQueue()
        #: whether no thread is to be added any more
        self._closing = False
        self._on_loops = LoopAttempts(self._ended_on_loop if self._bounds_async else None)

    def close(self) -> None:
        """End the threads. One that sits in a call that cannot be interrupted is left behind, and named."""
        with self._lock:
            self._closing = True
            for inbox in self._idle:
                inbox.put(None)
            started = self._started
        for _ in range(started):
            self._arrived.get()
        with self._lock:
            threads = dict(self._threads)
        stuck = {
            thread: attempt
            for thread, attempt in threads.items()
            if attempt is not None and attempt in self._abandoned
        }
        self.end_loop("threads")  # with which anyio lets the threads go
        for thread in threads.keys() - stuck.keys():
            thread.join()
        for attempt in stuck.values():
            if attempt in self._abandoned:
                ENGINE.warning(
                    "A thread is left behind: task run '%s' was stopped, but sits in a call that cannot be "
                    "interrupted. The thread ends when that call returns.",
                    attempt.task_run.name,
                )

    @property
    def abandoned(self) -> int:
        """How many threads were told to stop and have not yet."""
        return len(self._abandoned)

    def submit(self, attempt: Attempt) -> None:
        """Run the attempt when a slot is free, in order of submission."""
        if self._environment is None:
            raise self.not_started()
        if attempt.call.definition.is_async and not self._bounds_async:
            self._start_on_loop(attempt)
            return
        with self._lock:
            if self._free <= 0:
                self._waiting.append(attempt)
                return
            self._free -= 1
        self._launch(attempt)

    def stop(self, attempt: Attempt) -> None:
        """Cancel an async attempt; interrupt the thread of a sync one and count on it no more."""
        if attempt.guard is None:
            self._on_loops.stop(attempt)
            return
        following = None
        with self._lock:
            if attempt.handle is not None:
                attempt.handle = None
                self._abandoned.add(attempt)
                following = self._release()
        attempt.guard.interrupt()
        if following is not None:
            self._launch(following)

    @contextmanager
    def given_back(self) -> Generator[None]:
        """Let another attempt have the caller's slot for the length of a block."""
        self.give_back()
        try:
            yield
        finally:
            self.take_again()

    def give_back(self) -> None:
        """Let another attempt have the caller's slot."""
        with self._lock:
            following = self._release()
        if following is not None:
            self._launch(following)

    def take_again(self) -> None:
        """Have a slot again, also where none is free: there is one too few until somebody else ends."""
        with self._lock:
            self._free -= 1

    def _start_on_loop(self, attempt: Attempt) -> None:
        attempt.context.run(SLOT.set, _LoopSlot(self) if self._bounds_async else None)
        self._on_loops.start(attempt, attempt.loop or self.loop())

    def _launch(self, attempt: Attempt) -> None:
        if attempt.guard is None:
            self._start_on_loop(attempt)
            return
        with self._lock:
            if self._closing:  # nobody waits for it: code that was left behind has submitted it
                return
            self._queue.append(attempt)
            start = self._call_thread()
        if start:
            self._start_thread()

    def _call_thread(self) -> bool:
        """Have a thread come for what is in the queue; returns whether one must be started for it.

        The caller holds the lock.
        """
        if self._called or not self._queue:
            return False
        self._called = True
        if self._idle:
            self._idle.pop().put(None)
            return False
        self._started += 1
        return True

    def _start_thread(self) -> None:
        # Not the loop of async tasks: one that blocks it may be waiting for this very thread.
        self.loop("threads").call_soon_threadsafe(self._keep_thread, context=Context())

    def _keep_thread(self) -> None:
        task = asyncio.get_running_loop().create_task(self._thread())
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _thread(self) -> None:
        await to_thread.run_sync(self._work, abandon_on_cancel=True, limiter=CapacityLimiter(1))

    def _work(self) -> None:
        """What each thread does: take an attempt, make it, take the next."""
        thread = threading.current_thread()
        with self._lock:
            self._threads[thread] = None
            worker = f"thread-{len(self._threads)}"
        self._arrived.put(None)
        inbox: SimpleQueue[None] = SimpleQueue()
        called = True
        while (attempt := self._taken(inbox, called=called)) is not None:
            called = False
            while attempt is not None:
                with self._lock:
                    self._threads[thread] = attempt
                    attempt.handle = thread
                attempt.context.run(SLOT.set, self)
                attempt.run(worker)
                with self._lock:
                    attempt.handle = None
                    if attempt in self._abandoned:  # its slot went to another thread
                        self._abandoned.discard(attempt)
                        del self._threads[thread]
                        return
                    self._threads[thread] = None
                    following = self._release()
                    attempt = following if following is not None and following.guard is not None else None
                if following is not None and attempt is None:
                    self._launch(following)

    def _taken(self, inbox: "SimpleQueue[None]", *, called: bool) -> Attempt | None:
        """The next attempt in the queue, when there is one; None when the runner closes.

        ``called`` tells whether the calling thread is the one that was on its way.
        """
        while True:
            with self._lock:
                if called:
                    self._called = False
                if self._queue:
                    attempt = self._queue.popleft()
                    start = self._call_thread()
                    break
                if self._closing:
                    return None
                self._idle.append(inbox)
            inbox.get()
            called = True
        if start:
            self._start_thread()
        return attempt

    def _release(self) -> Attempt | None:
        """Give back a slot; returns the attempt that is to have it now. The caller holds the lock."""
        self._free += 1
        if self._free > 0 and self._waiting:
            self._free -= 1
            return self._waiting.popleft()
        return None

    def _ended_on_loop(self, attempt: Attempt) -> None:
        del attempt
        with self._lock:
            following = self._release()
        if following is not None:
            self._launch(following)


class _LoopSlot:
    """The slot of an async attempt, which may wait in several places at once: it is given back once."""

    __slots__ = ("_lock", "_runner", "_waits")

    def __init__(self, runner: ConcurrentTaskRunner) -> None:
        self._runner = runner
        self._waits = 0
        self._lock = threading.Lock()

    @contextmanager
    def given_back(self) -> Generator[None]:
        with self._lock:
            self._waits += 1
            first = self._waits == 1
        if first:
            self._runner.give_back()
        try:
            yield
        finally:
            with self._lock:
                self._waits -= 1
                last = self._waits == 0
            if last:
                self._runner.take_again()
