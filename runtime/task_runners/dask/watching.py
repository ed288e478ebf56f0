"""Seeing to it that nobody waits for what cannot come.

What is said of an attempt may be lost: with a worker, with the scheduler, or by a fault of anything that it
passes through. So those that are under way are looked after twice. Many times a second: what the client
knows of them. Every few seconds: what the scheduler answers when it is asked, and the worker that it names.
That is the slower way, and the patience is great, since an answer may overtake what is still under way: a
graph that waits for others to be ordered, a report behind many lines of log.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Any, Protocol

from distributed import KilledWorker

from runtime.logging import ENGINE
from runtime.task_runners.dask.deaths import Deaths
from runtime.task_runners.dask.sent import Sent
from runtime.task_runners.dask.worker import STRANDED, states

#: Seconds between two looks at whether scheduler and workers are still there.
LOOK_INTERVAL = 0.1
#: The same at most, where there is much to look at.
LOOK_INTERVAL_AT_MOST = 5.0
#: Seconds between two questions whether the attempts under way are known, and for an answer.
ASK_INTERVAL = 10.0
#: For how many attempts to ask at once: the oldest.
ASK_AT_ONCE = 1000
#: Seconds that a scheduler may be silent for.
SCHEDULER_PATIENCE = 5.0
#: Seconds without a report, after all that is to be seen from outside says that there will be none. A worker
#: whose other task holds the interpreter reports nothing either.
REPORT_PATIENCE = 60.0
#: Seconds until a dead worker's nanny says how it died.
CAUSE_WITHIN = 1.0


class Watched(Protocol):
    """Whose attempts are looked after."""

    def under_way(self) -> list[Sent]:
        """The attempts that have not ended, the oldest first."""
        ...

    def lost(self, sent: Sent, why: str) -> None:
        """Nothing will come of the attempt any more."""

    def refused(self, sent: Sent, error: BaseException) -> None:
        """The cluster could not make the attempt."""

    def send_again(self, sent: Sent) -> None:
        """The cluster has dropped the attempt before it began."""


class Watch:
    """Looks after what one driver has under way; all on the loop of the Dask client."""

    def __init__(
        self,
        watched: Watched,
        client: Any,
        address: str,
        deaths: Deaths,
        *,
        ask_interval: float = ASK_INTERVAL,
        patience: float = REPORT_PATIENCE,
    ) -> None:
        self._watched = watched
        self._ask_interval = ask_interval
        self._patience = patience
        self._client = client
        self._address = address
        self._deaths = deaths
        self._silent_since: float | None = None
        #: why nothing can be sent any more
        self.gone: str | None = None
        self._tasks: set[asyncio.Future[Any]] = set()
        self._has_warned = False

    def begin(self) -> None:
        """Look, until told to end."""
        self._start(self._look_after())
        self._start(self._ask_after())

    def end(self) -> None:
        """Look no more."""
        for task in list(self._tasks):
            task.cancel()

    def _start(self, awaitable: Any) -> None:
        task = asyncio.ensure_future(awaitable)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_after(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                self._look(began)
            except Exception:  # a bug, which must not leave the others without anybody who looks
                ENGINE.exception("Looking after tasks on Dask failed")
            pause = max(LOOK_INTERVAL, 20 * (loop.time() - began))
            await asyncio.sleep(min(pause, LOOK_INTERVAL_AT_MOST))

    def _look(self, now: float) -> None:
        if self._scheduler_is_gone(now):
            for sent in self._watched.under_way():
                self._watched.lost(sent, self.gone or "")
            return
        self._deaths.look()
        for sent in self._watched.under_way():
            if sent.future is not None:
                self._check(sent, sent.future, now)

    def _scheduler_is_gone(self, now: float) -> bool:
        if self.gone is not None:
            return True
        status = self._client.status
        if status == "running":
            self._silent_since = None
            return False
        if self._silent_since is None:
            self._silent_since = now
        if status != "closed" and now - self._silent_since < SCHEDULER_PATIENCE:
            return False
        self.gone = f"The Dask scheduler at {self._address} cannot be reached any more."
        return True

    def _check(self, sent: Sent, future: Any, now: float) -> None:
        status = future.status
        if status == "pending":
            return
        if status == "finished":
            if sent.finished_at is None:
                sent.finished_at = now
            elif now - sent.finished_at > self._patience and sent.confirmed:
                self._watched.lost(sent, "The task ended, but the report of its outcome did not arrive.")
        elif not sent.confirmed:
            return  # whoever asks for it will find that it cannot be used
        elif status == "error":
            if not sent.is_erring:
                sent.is_erring = True
                self._start(self._errs(sent, future))
        elif lost := [upstream for upstream in sent.upstream if upstream.is_dead]:
            self._watched.lost(
                sent, f"The result of its upstream run '{lost[0].task_run.name}' was lost with its worker."
            )
        elif not sent.sent_again:  # another call of its batch had lost its upstream; Dask forgets all of them
            self._watched.send_again(sent)
        else:
            self._watched.lost(sent, "The cluster has forgotten the task.")

    async def _errs(self, sent: Sent, future: Any) -> None:
        error = await future.exception()
        if isinstance(error, KilledWorker):
            worker = error.last_worker.address
            why = f"The worker {worker} died while it had the task. {await self._cause(worker)}"
            self._watched.lost(sent, why)
        else:
            self._watched.refused(sent, error)

    async def _cause(self, worker: str) -> str:
        """Why a worker died. The scheduler may be told before its nanny has noticed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + CAUSE_WITHIN
        while self._deaths.are_known and loop.time() < until:
            if cause := self._deaths.cause(worker):
                return cause
            await asyncio.sleep(0.01)
        return "Its process was killed, ran out of memory or left by itself; the worker's log says which."

    async def _ask_after(self) -> None:
        loop = asyncio.get_running_loop()
        since: dict[Sent, float] = {}
        while True:
            await asyncio.sleep(self._ask_interval)
            pending = (sent for sent in self._watched.under_way() if _is_pending(sent))
            asked = {sent.key: sent for sent in islice(pending, ASK_AT_ONCE)}
            try:
                doubts = await self._doubts(asked) if asked else {}
            except Exception as error:  # no answer, which says nothing of the tasks
                ENGINE.debug("Dask does not say what became of tasks: %r", error)
                doubts = {}
            now = loop.time()
            doubted = {sent: why for key, why in doubts.items() if _is_pending(sent := asked[key])}
            since = {sent: since.get(sent, now) for sent in doubted}
            for sent, why in doubted.items():
                if now - since[sent] > self._patience:
                    self._watched.lost(sent, why)

    async def _doubts(self, keys: Iterable[str]) -> dict[str, str]:
        """What speaks against it that these are still under way, by their keys."""
        held: dict[str, list[str]] = {}
        async with asyncio.timeout(ASK_INTERVAL):
            known = await self._client.scheduler.get_task_status(keys=list(keys))
            on_workers = {key for key, state in known.items() if state == "processing"}
            if on_workers:
                held = await self._client.scheduler.processing(workers=None)
        if "no-worker" in known.values() and not self._has_warned:
            self._has_warned = True  # it may go on for ever, and be as it should be
            ENGINE.warning(
                "Tasks wait for a worker that may run them: the Dask cluster has none, or none with the name "
                "or the resources that they ask for, or it is paused for want of memory."
            )
        doubts = {key: _OVER[state] for key, state in known.items() if state in _OVER}
        places = {worker: on_workers.intersection(theirs) for worker, theirs in held.items()}
        answers = await asyncio.gather(*[self._ask(worker, mine) for worker, mine in places.items() if mine])
        return {key: why for answer in answers for key, why in answer.items()} | doubts

    async def _ask(self, worker: str, keys: set[str]) -> dict[str, str]:
        try:
            async with asyncio.timeout(ASK_INTERVAL):
                answers = await self._client.run(states, list(keys), workers=[worker], on_error="raise")
        except Exception:  # it is busy, or it is gone and the scheduler will notice
            return {}
        had = answers[worker]
        return {key: _why(had.get(key), worker) for key in keys if had.get(key) in _GONE}


def _why(state: str | None, worker: str) -> str:
    if state == STRANDED:
        return f"No thread of the worker {worker} runs the task."
    has = "does not have it" if state is None else f"says that it is {state}"
    return f"The worker {worker} should run the task, and {has}."


def _is_pending(sent: Sent) -> bool:
    """Whether somebody waits for the attempt, and the client knows nothing new of it."""
    return (
        sent.confirmed
        and sent.attempt is not None
        and sent.future is not None
        and sent.future.status == "pending"
    )


_ENDED = "The task ended on the cluster, but this process was not told."
#: The scheduler's states of tasks that will not be run (again).
_OVER = {
    None: "The scheduler does not know the task.",
    "memory": _ENDED,
    "erred": _ENDED,
    "released": _ENDED,
    "forgotten": _ENDED,
}
#: The same of a worker.
_GONE = frozenset({None, "memory", "error", "released", "forgotten", STRANDED})
