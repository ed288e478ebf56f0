"""States of flow runs and task runs: immutable, and the same words everywhere."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NoReturn, cast

from runtime.exceptions import CancelledRun, CrashedRun, FailedRun, UnfinishedRun


class StateType(str, Enum):
    """The kind of a state; names say more, types are what rules are made of."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"

    # Enum's own hash is written in Python and would be paid at every look-up.
    __hash__ = str.__hash__


FINAL_TYPES = frozenset({StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED})


class ResultReference(ABC):
    """A result that lies elsewhere: on a worker, in a file. State data may be one."""

    @property
    def is_here(self) -> bool:
        """Whether :meth:`fetch` returns at once."""
        return False

    @abstractmethod
    def fetch(self) -> object:
        """The result itself. Blocks; raises ``CrashedRun`` where the result is lost."""


class State:
    """What a run is in. Two states are equal when type, name and message are.

    ``data`` is the result of a completed run (or a reference to it), the exception of a failed or
    crashed one, or a list of states where a flow's state follows from those.
    """

    __slots__ = ("at", "data", "message", "name", "type")

    type: StateType
    name: str
    message: str | None
    data: Any
    #: seconds since the epoch; 0.0 for a state made by hand that no run has been in
    at: float

    def __init__(
        self,
        type: StateType,  # noqa: A002 - the word that users know
        name: str | None = None,
        message: str | None = None,
        data: Any = None,
        at: float = 0.0,
    ) -> None:
        put = object.__setattr__
        put(self, "type", type)
        put(self, "name", name if name is not None else _NAMES[type])
        put(self, "message", message)
        put(self, "data", data)
        put(self, "at", at)

    @property
    def timestamp(self) -> datetime:
        """When the run entered this state, in UTC."""
        return datetime.fromtimestamp(self.at, UTC)

    def is_scheduled(self) -> bool:
        """Whether the run waits for a time."""
        return self.type is StateType.SCHEDULED

    def is_pending(self) -> bool:
        """Whether the run waits for its turn or its upstream."""
        return self.type is StateType.PENDING

    def is_running(self) -> bool:
        """Whether an attempt is under way."""
        return self.type is StateType.RUNNING

    def is_cancelling(self) -> bool:
        """Whether the run was told to stop and has not yet."""
        return self.type is StateType.CANCELLING

    def is_completed(self) -> bool:
        """Whether the run ended well."""
        return self.type is StateType.COMPLETED

    def is_failed(self) -> bool:
        """Whether the code of the run failed."""
        return self.type is StateType.FAILED

    def is_crashed(self) -> bool:
        """Whether the run was lost from outside of its code."""
        return self.type is StateType.CRASHED

    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self.type is StateType.CANCELLED

    def is_final(self) -> bool:
        """Whether nothing follows within the same run count."""
        return self.type in FINAL_TYPES

    def is_settled(self) -> bool:
        """Whether nobody need wait any longer: final, or NotReady."""
        return self.type in FINAL_TYPES or self.name == "NotReady"

    def result(self, raise_on_failure: bool = True) -> Any:
        """The result, or the exception: raised, or returned where ``raise_on_failure`` is false.

        Raises ``UnfinishedRun`` for a state that is not final.
        """
        if self.type is StateType.COMPLETED:
            return self.data.fetch() if isinstance(self.data, ResultReference) else self.data
        if self.type not in FINAL_TYPES:
            raise UnfinishedRun(f"The run is in state {self}, which has no result.")
        if raise_on_failure:
            raise self.exception()
        return self.exception()

    def exception(self) -> BaseException:
        """The exception behind a final state that is not Completed."""
        if isinstance(self.data, BaseException):
            return self.data
        for state in _states_in(self.data):
            if state.is_final() and not state.is_completed():
                return state.exception()
        explain = {StateType.CRASHED: CrashedRun, StateType.CANCELLED: CancelledRun}.get(self.type, FailedRun)
        return explain(self.message or f"The run ended in state {self}.")

    def without_data(self) -> "State":
        """This state as histories keep it."""
        return self if self.data is None else State(self.type, self.name, self.message, None, self.at)

    def dated(self, at: float) -> "State":
        """This state, entered at ``at`` seconds since the epoch."""
        return State(self.type, self.name, self.message, self.data, at)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"States are immutable: cannot set {name!r} of {self}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"States are immutable: cannot delete {name!r} of {self}")

    def __reduce__(self) -> tuple[Any, ...]:
        return State, (self.type, self.name, self.message, self.data, self.at)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        return (self.type, self.name, self.message) == (other.type, other.name, other.message)

    def __hash__(self) -> int:
        return hash((self.type, self.name, self.message))

    def __repr__(self) -> str:
        return f"{self.name}(message={self.message!r}, type={self.type.value})"


_NAMES = {kind: kind.value.capitalize() for kind in StateType}


def _states_in(data: object) -> Iterable[State]:
    if isinstance(data, State):
        return (data,)
    if isinstance(data, list | tuple | set | frozenset):
        return [item for item in cast("Iterable[object]", data) if isinstance(item, State)]
    return ()


def Scheduled(message: str | None = None, *, name: str | None = None, at: float = 0.0) -> State:
    """The run waits for a time."""
    return State(StateType.SCHEDULED, name, message, None, at)


def Pending(message: str | None = None, *, name: str | None = None, at: float = 0.0) -> State:
    """The run waits for its turn or its upstream."""
    return State(StateType.PENDING, name, message, None, at)


def Running(message: str | None = None, *, name: str | None = None, at: float = 0.0) -> State:
    """An attempt is under way."""
    return State(StateType.RUNNING, name, message, None, at)


def Completed(
    message: str | None = None, *, name: str | None = None, data: Any = None, at: float = 0.0
) -> State:
    """The run ended well; ``data`` is its result."""
    return State(StateType.COMPLETED, name, message, data, at)


def Failed(
    message: str | None = None, *, name: str | None = None, data: Any = None, at: float = 0.0
) -> State:
    """The code of the run failed; ``data`` is the exception."""
    return State(StateType.FAILED, name, message, data, at)


def Crashed(
    message: str | None = None, *, name: str | None = None, data: Any = None, at: float = 0.0
) -> State:
    """The run was lost from outside of its code."""
    return State(StateType.CRASHED, name, message, data, at)


def Cancelled(
    message: str | None = None, *, name: str | None = None, data: Any = None, at: float = 0.0
) -> State:
    """The run was cancelled."""
    return State(StateType.CANCELLED, name, message, data, at)


def Cancelling(message: str | None = None, *, at: float = 0.0) -> State:
    """The run was told to stop and has not yet."""
    return State(StateType.CANCELLING, None, message, None, at)


def AwaitingRetry(message: str | None = None, *, data: Any = None, at: float = 0.0) -> State:
    """An attempt failed, of the exception ``data``; the next one waits for its time."""
    return State(StateType.SCHEDULED, "AwaitingRetry", message, data, at)


def Retrying(message: str | None = None, *, at: float = 0.0) -> State:
    """A later attempt is under way."""
    return State(StateType.RUNNING, "Retrying", message, None, at)
