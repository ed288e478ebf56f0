"""Attempts under way on Ray: hearing how they end, and ending those that are not wanted any more.

Why waiting in rounds
---------------------
A callback for each reference costs a switch of threads for each task, a sixth of what Ray itself takes. So
one thread waits for many references at once. Where they are many, it lets others become ready after the
first, for a part of the time that Ray takes for all of them. What is submitted meanwhile is waited for
in the next round; rounds are short while something happens, and longer while nothing does.

Flights that go ahead
---------------------
An attempt whose upstream runs are still under way is given to Ray along with their references, so that
it starts the moment they have ended; waiting for the driver would cost a round trip for each link of a
chain. It counts only when the engine asks for it and all that it refers to ended as foreseen; until then
what it says is kept back. Otherwise it is dropped, and the attempt is made with what is right by then.
"""

import pickle
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, cast
from uuid import uuid4
from weakref import WeakSet

from runtime.envelope import Attempt
from runtime.exceptions import CrashedRun
from runtime.lifecycle import Lost, describe
from runtime.logging import ENGINE
from runtime.remote import Message, hear
from runtime.runs import TaskRun
from runtime.task_runners.ray.endings import ended
from runtime.task_runners.ray.instances import RayInstance
from runtime.task_runners.ray.native import cancel, ray
from runtime.task_runners.ray.results import RayResult
from runtime.task_runners.ray.worker import Mailbox

_SHORTEST = 0.001
_LONGEST = 0.05
#: Seconds to let reports gather where there are many, for each that is waited for, and at most.
_COLLECT = 100e-6
_COLLECT_AT_MOST = 0.02
#: Seconds that a task has to end after it was interrupted, before its worker is ended.
_GRACE = 1.0
#: Seconds to wait for the listener, where Ray is lost.
_JOIN_LIMIT = 5.0
#: Seconds that an attempt is under way before there is a mailbox.
_MAILBOX_AFTER = 0.05
#: Seconds to wait for messages that are said to be on their way.
_MAIL_LIMIT = 5.0


#: How many references to wait for at once: so many of the oldest, and as many others.
_WINDOW = 64
#: From so many references on, there are others to be ready soon after the first.
_MANY = 8
_NO_MAIL: list[Any] = []


class Flight:
    """One attempt under way."""

    __slots__ = (
        "attempt",
        "begun",
        "confirmed",
        "dropped",
        "error",
        "has_value",
        "heard",
        "held",
        "id",
        "kept_back",
        "over",
        "overdue",
        "report",
        "upstream",
        "value",
        "worker",
    )

    def __init__(self, id: str, attempt: Attempt, upstream: "list[Flight]", *, confirmed: bool) -> None:  # noqa: A002 - the word for it
        self.id = id
        self.begun = time.monotonic()
        self.attempt = attempt
        #: those whose results it takes, and that were under way when it left
        self.upstream = upstream
        #: whether the engine has asked for it
        self.confirmed = confirmed
        #: what it said before that
        self.kept_back: list[Message] = []
        #: what Ray said instead of a report, before that
        self.error: Exception | None = None
        #: whether nobody will ask for it any more
        self.dropped = False
        #: whether nothing is to come of it any more
        self.over = False
        #: whether it left a value that counts
        self.has_value = False
        #: Ray's references to the result, and to what is said of it
        self.value: Any = None
        self.report: Any = None
        #: where it runs, once that is known
        self.worker: str | None = None
        #: how many of its messages came live
        self.heard = 0
        #: its report, while messages from before are missing, and until when to wait for them
        self.held: tuple[int, list[Any], float] | None = None
        #: when to end its worker, after it was told to stop
        self.overdue: float | None = None


class Flights:
    """All attempts of this process that are on Ray."""

    def __init__(self, instance: RayInstance) -> None:
        self.instance = instance
        #: what is to be done on the listener's thread, before it waits again
        self._agenda: SimpleQueue[Callable[[], None]] = SimpleQueue()
        #: by their reports
        self._waited_for: dict[Any, Flight] = {}
        self._by_id: dict[str, Flight] = {}
        #: by task run
        self._latest: dict[TaskRun, Flight] = {}
        self._held: list[Flight] = []
        self._stopped: deque[Flight] = deque()
        #: what attempts are cancelled by
        self._known = ray.put(b"")
        self._results: WeakSet[RayResult] = WeakSet()
        #: where the window of this round begins
        self._turn = 0
        self._over = False
        self._giving_up = threading.RLock()
        self._mailbox_name = f"flows-{uuid4().hex}"
        self._mailbox: Any = None
        #: the mail that is to come next
        self._mail: Any = None
        self._making_mailbox = threading.Lock()
        self._thread = threading.Thread(target=self._listen, name="flows-ray-listener", daemon=True)
        instance.on_loss = self._lose
        self._thread.start()

    def expect(self, flight: Flight) -> None:
        """Know the attempt before Ray does: what it says live may come before :meth:`add` is called."""
        self._by_id[flight.id] = flight

    def forget(self, flight: Flight) -> None:
        """The attempt was not made after all, or is over."""
        del self._by_id[flight.id]
        run = flight.attempt.task_run
        if self._latest.get(run) is flight:
            del self._latest[run]
        flight.upstream = []

    def add(self, flight: Flight) -> None:
        """Hear how this attempt ends."""
        self._latest[flight.attempt.task_run] = flight
        self._do(partial(self._admit, flight))

    def under_way(self, run: TaskRun) -> Flight | None:
        """The attempt of this run that is on Ray, if there is one."""
        return self._latest.get(run)

    def confirm(self, flight: Flight, otherwise: Callable[[], None]) -> None:
        """The engine asks for an attempt that went ahead: it counts, or ``otherwise`` is called."""
        self._do(partial(self._confirm, flight, otherwise))

    def mailbox(self, *, needed: bool) -> str:
        """Where workers are to send messages; ``needed``: it is to be there at once.

        Otherwise it is made when an attempt takes long: it needs a process of its own.
        """
        if needed and self._mailbox is None:
            self._make_mailbox()
        return self._mailbox_name

    def cancel(self, flight: Flight) -> None:
        """Interrupt an attempt, and end its worker if it takes no notice."""
        if not flight.over:
            flight.overdue = time.monotonic() + _GRACE
            cancel(flight.report, force=False, known=self._known)
            self._stopped.append(flight)
        if not flight.confirmed:
            self._do(partial(self._drop, flight))

    def close(self) -> None:
        """Stop hearing. Results that somebody still holds are fetched, where Ray is about to end."""
        self._end()
        if self.instance.lost is not None:
            return
        for flight in self._waited_for.values():  # told to stop, and have not yet
            cancel(flight.report, force=True, known=self._known)
        if self.instance.ours:
            for result in list(self._results):
                with suppress(CrashedRun):
                    result.fetch()
        if self._mailbox is not None:
            ray.kill(self._mailbox)

    def _make_mailbox(self) -> None:
        with self._making_mailbox:
            if self._mailbox is None:
                mailbox = Mailbox.options(name=self._mailbox_name).remote()
                self._mail = mailbox.take.remote()
                self._mailbox = mailbox

    def _do(self, step: Callable[[], None]) -> None:
        """Have this done by the listener; where Ray is lost, that is done which is left to do."""
        self._agenda.put(step)
        if self._over:
            self._give_up()

    def _end(self) -> None:
        self._over = True
        self._agenda.put(_nothing)
        if threading.current_thread() is not self._thread:
            # Where Ray is lost, a call to it may never return.
            self._thread.join(None if self.instance.lost is None else _JOIN_LIMIT)

    def _lose(self, why: str) -> None:
        """Ray is lost, and so is everything on it."""
        del why
        self._end()
        self._give_up()

    def _give_up(self) -> None:
        """Report what is lost with Ray. Once the listener has ended, whoever finds something does this."""
        if self.instance.lost is None or threading.current_thread() is self._thread:
            return
        self._thread.join(_JOIN_LIMIT)
        with self._giving_up:
            self._follow_agenda()
            for flight in [*self._waited_for.values(), *self._held]:
                if flight.confirmed:
                    flight.attempt.report(Lost(flight.attempt.number, self.instance.lost))
            self._waited_for.clear()
            self._held.clear()

    def _listen(self) -> None:
        pause = _SHORTEST
        while not self._over:
            self._follow_agenda()
            if not self._waited_for and not self._held:
                self._agenda.get()()
                pause = _SHORTEST
                continue
            try:
                ready = self._ready(pause)
                if ready:
                    self._arrived(ready)
                self._release_held()
                self._end_overdue()
            except Exception as error:  # a connection that broke, most often; nobody may wait for ever
                if not self._over:
                    ENGINE.error("Hearing of tasks on Ray failed", exc_info=error)
                    self.instance.lose(f"Ray is lost: it cannot be asked any more: {describe(error)}")
                return
            pause = _SHORTEST if ready else min(pause * 2, _LONGEST)

    def _follow_agenda(self) -> None:
        with suppress(Empty):
            while True:
                self._agenda.get_nowait()()

    def _admit(self, flight: Flight) -> None:
        self._waited_for[flight.report] = flight

    def _confirm(self, flight: Flight, otherwise: Callable[[], None]) -> None:
        if flight.dropped or not all(upstream.has_value for upstream in flight.upstream):
            self.cancel(flight)
            otherwise()
            return
        flight.confirmed = True
        flight.upstream = []
        messages, flight.kept_back = flight.kept_back, []
        for message in messages:
            self._hear(flight, message)
        if flight.over:
            self._finish(flight, flight.error)

    def _drop(self, flight: Flight) -> None:
        if flight.confirmed or flight.dropped:
            return
        flight.dropped = True
        flight.has_value = False
        flight.kept_back = []
        if flight.over:
            self.forget(flight)

    def _ready(self, pause: float) -> list[Any]:
        refs = self._next_window()
        if self._mail is not None:
            refs.append(self._mail)
        elif refs and time.monotonic() - next(iter(self._waited_for.values())).begun > _MAILBOX_AFTER:
            self._make_mailbox()
        if len(refs) > _MANY:
            # Not in ray.wait(): that wakes this thread for each one that becomes ready.
            time.sleep(min(len(self._waited_for) * _COLLECT, _COLLECT_AT_MOST))
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
            if ready:
                return ready
        ready, _ = ray.wait(refs, num_returns=1, timeout=pause, fetch_local=False)
        return ready

    def _next_window(self) -> list[Any]:
        """The references to wait for in this round: all, or the oldest and some others, who take turns.

        Waiting for a reference costs even where nothing happens, and of thousands most are queued on Ray.
        """
        refs = list(self._waited_for)
        if len(refs) <= 2 * _WINDOW:
            return refs
        self._turn = self._turn + _WINDOW if self._turn + _WINDOW < len(refs) else _WINDOW
        return refs[:_WINDOW] + refs[self._turn : self._turn + _WINDOW]

    def _arrived(self, refs: list[Any]) -> None:
        if self._mail is not None and self._mail in refs:
            refs.remove(self._mail)
            self._take_mail()
        try:
            reports = ray.get(refs)
        except Exception:  # one of them; which one?
            reports = [_report_or_error(ref) for ref in refs]
        for ref, report in zip(refs, reports, strict=True):
            self._ended(self._waited_for.pop(ref), report)

    def _ended(self, flight: Flight, report: bytes | Exception) -> None:
        if isinstance(report, Exception):
            self._finish(flight, report)
            return
        sent, messages = pickle.loads(report)  # noqa: S301 - written by our own worker
        if sent > flight.heard:
            flight.held = (sent, messages, time.monotonic() + _MAIL_LIMIT)
            self._held.append(flight)
        else:
            self._hear_last(flight, messages)

    def _finish(self, flight: Flight, error: Exception | None) -> None:
        """All has come of a flight that will come."""
        flight.over = True
        if not flight.confirmed and not flight.dropped:
            flight.error = error
            return
        if error is not None and flight.confirmed:
            flight.attempt.report(ended(flight.attempt, flight.worker, error))
        self.forget(flight)

    def _take_mail(self) -> None:
        try:
            mail = ray.get(self._mail)
        except Exception as error:  # the mailbox is being started anew
            ENGINE.debug("Messages from workers may be missing: %s", error)
            mail = _NO_MAIL
            time.sleep(_LONGEST)
        self._mail = self._mailbox.take.remote()
        for id_, message in mail:
            flight = self._by_id.get(id_)
            if flight is not None:
                flight.heard += 1
                flight.worker = message[1]
                self._hear(flight, Message(*message))

    def _release_held(self) -> None:
        if not self._held:
            return
        now = time.monotonic()
        for flight in list(self._held):
            sent, messages, limit = cast("tuple[int, list[Any], float]", flight.held)
            if flight.heard >= sent or now >= limit:
                self._held.remove(flight)
                self._hear_last(flight, messages)

    def _hear_last(self, flight: Flight, messages: list[Any]) -> None:
        flight.over = True  # first: those downstream are told to stop while this is heard
        for message in messages:
            self._hear(flight, Message(*message))
        self._finish(flight, None)

    def _hear(self, flight: Flight, message: Message) -> None:
        if message.has_value:
            flight.has_value = not (flight.attempt.stopping or flight.dropped)
        if flight.confirmed:
            hear(flight.attempt, message, partial(self._kept, flight))
        elif not flight.dropped:
            flight.kept_back.append(message)

    def _kept(self, flight: Flight, inline: bytes) -> RayResult:
        result = RayResult(inline, flight.value, self.instance)
        if not inline:
            self._results.add(result)
        return result

    def _end_overdue(self) -> None:
        while self._stopped and cast("float", self._stopped[0].overdue) <= time.monotonic():
            flight = self._stopped.popleft()
            if flight.report in self._waited_for:
                cancel(flight.report, force=True, known=self._known)


def _report_or_error(ref: Any) -> bytes | Exception:
    try:
        return ray.get(ref)
    except Exception as error:  # Ray may raise anything
        return error


def _nothing() -> None:
    return None
