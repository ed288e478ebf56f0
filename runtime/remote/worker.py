"""What is done on a worker: read the call, make the attempt, write down what came of it."""

import asyncio
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import copy_context
from typing import Any, cast
from uuid import UUID

from runtime.context import CARRIED, FLOW_RUN, TAGS, TASK_RUN, Environment, FlowRunContext
from runtime.envelope import Attempt
from runtime.exceptions import NotSerializable
from runtime.lifecycle import Raised, Returned, Started, Stopped, TaskRunEvent, describe
from runtime.logging import OUTLET, prints_logged
from runtime.remote import messages
from runtime.remote.calls import CallHeader, read_arguments, read_inputs
from runtime.remote.code import Surroundings, this_process, unpack_definition, unpack_surroundings
from runtime.remote.messages import Message
from runtime.remote.records import send_records
from runtime.remote.remains import Remains
from runtime.remote.values import Unusable, check_result, dump, pack_exception
from runtime.results import result_storage
from runtime.runs import TaskCall, TaskRun
from runtime.settings import SETTINGS
from runtime.states import State
from runtime.threads import Interrupted

#: Takes a message to the driver. Called on the thread of the attempt.
Tell = Callable[[Message], None]


class Home:
    """What the attempts made in one process share. A process has one; a simulated worker has its own."""

    def __init__(self, environment: Environment) -> None:
        #: what the attempts take from the world
        self.environment = environment
        #: what the parcels held that came here
        self.unpacked: dict[str, Any] = {}
        self.under_way: dict[str, _Made] = {}
        #: attempts that were told to stop before they came here; the oldest are forgotten
        self.stopped: deque[str] = deque(maxlen=1000)


def run(
    call: bytes,
    values: Sequence[Any],
    fetch: Callable[[str], bytes],
    worker: str,
    tell: Tell,
    home: Home | None = None,
) -> tuple[Message, Any]:
    """Make the attempt that ``call`` describes, on this thread.

    Returns the last message, which is not told, and the value for attempts downstream: the task's
    result, or :class:`Unusable`. Nothing is raised.
    """
    if any(isinstance(value, Unusable) for value in values):
        return Message(messages.SKIPPED, worker), Unusable()
    try:
        header = CallHeader(*pickle.loads(call))  # noqa: S301 - written by the driver
        made = _Made(header, tuple(values), fetch, worker, tell, home or _here)
        return made.outcome()
    except Interrupted:
        return Message(messages.STOPPED, worker), Unusable()
    except BaseException as error:  # what came with the call may raise anything while it is read
        return Message(messages.REFUSED, worker, pack_exception(error)), Unusable()


def stop(id: str, home: Home | None = None) -> bool:  # noqa: A002 - the word for it
    """Stop the attempt called ``id``, now or as soon as it begins; whether it is under way."""
    home = home or _here
    home.stopped.append(id)  # first: it may begin just now
    made = home.under_way.get(id)
    if made is None:
        return False
    made.stop()
    return True


class _Made:
    """One attempt, as it is made here."""

    def __init__(
        self,
        header: CallHeader,
        values: tuple[Any, ...],
        fetch: Callable[[str], bytes],
        worker: str,
        tell: Tell,
        home: Home,
    ) -> None:
        self._header = header
        self._home = home
        self._worker = worker
        self._tell = tell
        self._event: TaskRunEvent | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        definition = unpack_definition(header.definition, fetch, home.unpacked)
        self._around: Surroundings = unpack_surroundings(header.surroundings, fetch, home.unpacked)
        flow_run = self._around.flow_run
        try:
            args, kwargs = read_arguments(header.arguments, values)
        except Exception as error:  # a class that cannot be imported here, most often
            raise NotSerializable(
                f"The parameters of task '{definition.name}' cannot be read there: {describe(error)}"
            ) from error
        self._attempt: Attempt | None = Attempt(
            TaskCall(definition, args, kwargs),
            header.number,
            header.run_count,
            TaskRun(
                UUID(bytes=header.task_run_id),
                definition.name,
                definition.key,
                header.n,
                flow_run.id if flow_run is not None else None,
                header.parent,
                header.title,
                header.tags,
                read_inputs(header.inputs) if header.inputs else (),
            ),
            self._report,
            copy_context(),
            home.environment.clock,
            home.environment.threads,
            None,
            log_prints=header.log_prints,
        )

    def outcome(self) -> tuple[Message, Any]:
        """Make the attempt, once; returns its last message and its value."""
        home, attempt, id_ = self._home, cast("Attempt", self._attempt), self._header.id
        home.under_way[id_] = self
        try:
            if id_ in home.stopped:
                self.stop()
            attempt.context.run(self._make, attempt)
        finally:
            del home.under_way[id_]
            # They refer to each other: what it held would wait for the garbage collector.
            self._attempt = None
        return self._written()

    def stop(self) -> None:
        """Tell the attempt to end."""
        attempt = self._attempt
        if attempt is None:
            return
        attempt.stopping = True
        if attempt.guard is not None:
            attempt.guard.interrupt()
        elif self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # it ended meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _make(self, attempt: Attempt) -> None:
        """Called in a context of its own, which holds what the driver said and nothing else of it."""
        header, around = self._header, self._around
        TAGS.set(frozenset(header.tags_around))
        CARRIED.set(header.carried)
        TASK_RUN.set(None)
        FLOW_RUN.set(
            FlowRunContext(
                around.flow_run,
                self._home.environment,
                {},
                None,
                is_async=False,
                log_prints=header.log_prints,
            )
            if around.flow_run is not None
            else None
        )
        SETTINGS.set(around.settings)
        if around.process == this_process():
            self._make_within((), attempt)
        else:
            send_records(self._send_record, around.level)
            with prints_logged():
                self._make_within(around.around, attempt)

    def _make_within(
        self, around: tuple[Callable[[], AbstractContextManager[object]], ...], attempt: Attempt
    ) -> None:
        storage = self._header.storage
        if not around and storage is None:
            self._make_here(attempt)
            return
        with ExitStack() as surroundings:
            if storage is not None:
                surroundings.enter_context(result_storage(storage))
            for enter in around:
                surroundings.enter_context(enter())
            self._make_here(attempt)

    def _make_here(self, attempt: Attempt) -> None:
        remains = Remains() if OUTLET.get() is not None else None
        if attempt.guard is None:
            asyncio.run(self._make_async(attempt))
        else:
            attempt.context = copy_context()
            attempt.run(self._worker)
        if remains is not None:
            remains.tell(attempt.task_run.name)

    async def _make_async(self, attempt: Attempt) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        await attempt.run_async(self._worker)

    def _report(self, event: TaskRunEvent) -> bool:
        if type(event) is Started:
            self._tell(Message(messages.STARTED, self._worker))
            return self._attempt is not None and not self._attempt.stopping
        self._event = event
        return False

    def _send_record(self, body: bytes) -> None:
        self._tell(Message(messages.RECORD, self._worker, body))

    def _written(self) -> tuple[Message, Any]:
        """The outcome as a message, and as a value."""
        event, worker = self._event, self._worker
        if isinstance(event, Returned):
            try:
                if isinstance(event.value, State):
                    return _adopted(event, worker), Unusable()
                kind = messages.CACHED if event.cached else messages.RETURNED
                return Message(kind, worker, check_result(event.value)), event.value
            except NotSerializable as error:
                return Message(messages.FAILED, worker, pack_exception(error)), Unusable()
        if isinstance(event, Raised):
            kind = messages.RAISED if event.retriable else messages.FAILED
            return Message(kind, worker, pack_exception(event.exception)), Unusable()
        if isinstance(event, Stopped):
            return Message(messages.STOPPED, worker), Unusable()
        raise AssertionError(f"An attempt ended with {event!r}")


def _adopted(event: Returned, worker: str) -> Message:
    body = dump((event.value, event.retriable))
    try:
        pickle.loads(body)  # noqa: S301 - written one line above
    except Exception as error:  # the user's data may raise anything
        raise NotSerializable(
            f"The state that the task returned cannot be read back: {describe(error)}"
        ) from error
    return Message(messages.ADOPTED, worker, body)


_here = Home(Environment())
