"""What a worker says of an attempt, and what the driver makes of it."""

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from runtime.envelope import Attempt
from runtime.exceptions import NotSerializable
from runtime.lifecycle import Raised, Refused, Returned, Started, Stopped, describe
from runtime.remote.records import give_out
from runtime.remote.values import unpack_exception

STARTED = "started"
RECORD = "record"
RETURNED = "returned"
CACHED = "cached"
#: the function returned a state
ADOPTED = "adopted"
RAISED = "raised"
#: the function raised, and another attempt would not help
FAILED = "failed"
STOPPED = "stopped"
#: the call could not be read on the worker
REFUSED = "refused"
#: not made, since a value among the arguments is missing
SKIPPED = "skipped"
#: more is to follow these
NOT_LAST = frozenset({STARTED, RECORD})


class Message(NamedTuple):
    """One thing that a worker says of an attempt."""

    kind: str
    #: the worker's address
    worker: str
    body: bytes = b""

    @property
    def is_last(self) -> bool:
        """Whether nothing follows from this attempt."""
        return self.kind not in NOT_LAST

    @property
    def has_value(self) -> bool:
        """Whether the value that came with it is the run's result.

        That of a state which was returned is not: only the driver knows what it counts for.
        """
        return self.kind in _WITH_VALUE


def hear(attempt: Attempt, message: Message, kept: Callable[[bytes], Any]) -> None:
    """Pass a message on: to the engine, or to the log.

    The last one repeats that the attempt started, for a driver that has not heard. ``kept(inline)`` makes
    the reference to a result.
    """
    kind, worker, body = message
    number = attempt.number
    if kind == RECORD:
        give_out(body, attempt, worker)
        return
    if kind in _AFTER_START:
        attempt.report(Started(number, worker))
    if kind in _WITH_VALUE:
        attempt.report(Returned(number, kept(body), cached=kind == CACHED))
    elif kind == ADOPTED:
        attempt.report(_adopted(number, body))
    elif kind in _WITH_EXCEPTION:
        attempt.report(Raised(number, unpack_exception(body), retriable=kind == RAISED))
    elif kind == STOPPED:
        attempt.report(Stopped(number))
    elif kind == REFUSED:
        error = unpack_exception(body)
        message_text = f"The task run could not be made on worker {worker}: {describe(error)}"
        attempt.report(Refused(number, message_text, error))
    elif kind == SKIPPED:
        error = NotSerializable("The result of an upstream run is not where it was expected.")
        attempt.report(Refused(number, describe(error), error))


def _adopted(number: int, body: bytes) -> Returned | Raised:
    try:
        state, retriable = pickle.loads(body)  # noqa: S301 - written by our own worker
        return Returned(number, state, retriable=retriable)
    except Exception as error:  # a class that cannot be imported here, most often
        problem = NotSerializable(f"The state that the task returned cannot be read here: {describe(error)}")
        return Raised(number, problem, retriable=False)


_WITH_VALUE = frozenset({RETURNED, CACHED})
_WITH_EXCEPTION = frozenset({RAISED, FAILED})
_AFTER_START = frozenset({STARTED, RETURNED, ADOPTED, RAISED, FAILED, STOPPED})
