"""What a run hears and what it asks for: the two vocabularies of the lifecycle.

An event carries the number of the attempt it speaks of, so a report of another attempt than the
current one can be told, and dropped. Plain slots rather than frozen dataclasses: three events and as
many commands are made for each task run, and freezing would cost as much as all the rules together.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from runtime.states import State


@dataclass(slots=True, eq=True)
class Submitted:
    """The run was asked for; ``upstream`` runs have to settle first."""

    upstream: int = 0


@dataclass(slots=True, eq=True)
class UpstreamSettled:
    """One upstream run settled. ``position`` is its place among the arguments."""

    position: int
    run_id: UUID
    #: whether its result can be used: it completed, or its failure is allowed
    usable: bool


@dataclass(slots=True, eq=True)
class Refused:
    """The task runner could not take the attempt, since the call itself is at fault."""

    attempt: int
    message: str
    exception: BaseException


@dataclass(slots=True, eq=True)
class Started:
    """The attempt begins on ``worker``."""

    attempt: int
    worker: str


@dataclass(slots=True, eq=True)
class Returned:
    """The attempt ended well, or its result was found in the cache instead.

    ``retriable``: what ``retry_condition_fn`` said, if asked about a value that is a Failed state.
    """

    attempt: int
    value: Any
    cached: bool = False
    retriable: bool = True


@dataclass(slots=True, eq=True)
class Raised:
    """The attempt ended with an exception. ``retriable``: what ``retry_condition_fn`` said, if asked."""

    attempt: int
    exception: BaseException
    retriable: bool = True


@dataclass(slots=True, eq=True)
class Lost:
    """The attempt, or its result, is gone: its worker died, or did not stop in time."""

    attempt: int
    message: str


@dataclass(slots=True, eq=True)
class Stopped:
    """The attempt ended because it was told to."""

    attempt: int


@dataclass(slots=True, eq=True)
class AlarmRang:
    """The time that the run asked to be told of has come."""

    attempt: int


@dataclass(slots=True, eq=True)
class CancelRequested:
    """Somebody wants the run to end."""


@dataclass(slots=True, eq=True)
class BodyReturned:
    """A flow's function returned, which amounts to ``state``."""

    state: State


@dataclass(slots=True, eq=True)
class BodyRaised:
    """A flow's function raised."""

    exception: BaseException


@dataclass(slots=True, eq=True)
class ParametersRefused:
    """A flow was called with parameters that its annotations do not allow."""

    exception: Exception


TaskRunEvent: TypeAlias = (
    Submitted
    | UpstreamSettled
    | Refused
    | Started
    | Returned
    | Raised
    | Lost
    | Stopped
    | AlarmRang
    | CancelRequested
)
FlowRunEvent: TypeAlias = (
    Submitted | ParametersRefused | BodyReturned | BodyRaised | AlarmRang | CancelRequested
)


@dataclass(slots=True, eq=True)
class Record:
    """Write down that the run is in this state now."""

    state: State


@dataclass(slots=True, eq=True)
class RunAttempt:
    """Make attempt ``number``, counted from 1; of a flow: call its function."""

    number: int


@dataclass(slots=True, eq=True)
class StopAttempt:
    """End attempt ``number``, wherever it is; its slot is to be free for others."""

    number: int


@dataclass(slots=True, eq=True)
class SetAlarm:
    """Tell the run when ``delay`` seconds have passed. A run has one alarm at a time."""

    delay: float
    #: the attempt that is over then, or that is to begin; so an alarm is not taken for the one before it
    attempt: int


@dataclass(slots=True, eq=True)
class ClearAlarm:
    """Forget the alarm."""


@dataclass(slots=True, eq=True)
class Settle:
    """Nobody need wait for the run any longer; ``state`` is its last."""

    state: State


Command: TypeAlias = Record | RunAttempt | StopAttempt | SetAlarm | ClearAlarm | Settle
