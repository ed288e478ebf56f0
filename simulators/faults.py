"""What goes wrong on purpose: each fault names the moments at which it may strike.

Whether it does is a decision of the schedule, like any other: it is recorded, replayed and shrunk. A list of
faults means that at most one of them strikes in a run; :func:`at_most` says another number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeAlias, cast

from simulators.exceptions import SimulatorError

#: Of an attempt: before the task begins, when it has ended, and when the driver has heard of that. Of a run:
#: when a change of its state was written.
Moment = Literal["before", "after", "reported", "written"]
#: When a worker dies: before the task begins, in the middle of it, when it has had its effect and nobody
#: has heard of that, and when the driver has heard.
Death = Literal["before", "during", "unreported", "reported"]
#: What is left when a driver's process ends: all that it wrote, or no more than was safe by then.
Left = Literal["written", "torn"]
#: What a fault does at each moment, in a word; "" where it does one thing only.
Names: TypeAlias = Mapping[Moment, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Fault:
    """Something that may go wrong with an attempt of a task run, or when a change of a run is written."""

    #: which runs it may happen to: a pattern for their names, such as ``fetch-*``
    tasks: str = "*"

    #: the moments, and what the fault is called at each of them
    moments: ClassVar[Names] = {}

    def __repr__(self) -> str:
        """As it is written: what is as usual is left out."""
        said = [
            f"{field.name}={_written(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def names(self, moment: Moment) -> tuple[str, ...]:
        """What decisions call it at that moment, as far as it may strike then."""
        kind = type(self).__name__
        return tuple(f"{kind}.{when}" if when else kind for when in self.moments.get(moment, ()))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WorkerDeath(Fault):
    """The worker's process ends, with all that it was doing and all results that only it had."""

    #: the moments at which it may happen
    when: tuple[Death, ...] = ("before", "during", "unreported", "reported")

    def names(self, moment: Moment) -> tuple[str, ...]:
        """What decisions call it at that moment."""
        return tuple(f"WorkerDeath.{when}" for when in _DEATHS.get(moment, ()) if when in self.when)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterLoss(Fault):
    """The cluster's scheduler ends, and with it the cluster, for the rest of the flow run.

    What is under way is lost, and so is whatever is submitted from then on.
    """

    moments: ClassVar[Names] = {"before": ("before",), "after": ("after",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TaskError(Fault):
    """The attempt raises an exception: before the task did anything, or after all that it does."""

    error: type[Exception] = OSError
    message: str = "a fault of the simulation"

    moments: ClassVar[Names] = {"before": ("before",), "after": ("after",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delay(Fault):
    """The attempt begins late, or the report of it is late."""

    #: virtual seconds
    seconds: float = 1.0

    moments: ClassVar[Names] = {"before": ("start",), "after": ("report",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LostResult(Fault):
    """The task has had its effect, and no report of that arrives. The driver gives it up in the end."""

    moments: ClassVar[Names] = {"after": ("",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateResult(Fault):
    """The report of the outcome arrives twice."""

    moments: ClassVar[Names] = {"after": ("",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClockJump(Fault):
    """Somebody sets the clock on the wall, in the driver and on all workers; monotonic clocks go on."""

    #: seconds; negative ones set it back
    seconds: float = -3600.0

    moments: ClassVar[Names] = {"before": ("before",), "after": ("after",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateCall(Fault):
    """The call arrives twice: the task is made again when it has ended, and what comes of that counts."""

    moments: ClassVar[Names] = {"after": ("",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Partition(Fault):
    """The worker cannot be reached, and goes on. What it says arrives when the driver has given it up."""

    #: virtual seconds
    seconds: float = 60.0

    moments: ClassVar[Names] = {"before": ("before",), "after": ("after",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SlotLeak(Fault):
    """The worker does not notice that the attempt has ended: its thread and resources stay taken."""

    moments: ClassVar[Names] = {"after": ("",)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DriverCrash(Fault):
    """The process that the flow runs in ends, with its workers, when a state change was written.

    For flows that :func:`simulators.see_through` calls.
    """

    #: what the next process finds: all that was written, or the batch was torn and what was not safe is gone
    left: tuple[Left, ...] = ("written", "torn")

    def names(self, moment: Moment) -> tuple[str, ...]:
        """What decisions call it at that moment."""
        return tuple(f"DriverCrash.{left}" for left in self.left) if moment == "written" else ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoreFailure(Fault):
    """The history store fails, as on a full disk: nothing more is kept of the flow run.

    What was not safe by then is lost too. The flow run is told to stop, and its call raises ``StoreError``.
    """

    moments: ClassVar[Names] = {"written": ("",)}


@dataclass(frozen=True, slots=True)
class Faults:
    """What may go wrong in a run, and how often at most in all."""

    faults: tuple[Fault, ...] = ()
    most: int = 1

    def offered(self, moment: Moment, task_run: str) -> list[str]:
        """The names of those that may strike a task run at that moment."""
        return [
            name
            for fault in self.faults
            if fnmatchcase(task_run, fault.tasks)
            for name in fault.names(moment)
        ]

    @property
    def on_workers(self) -> bool:
        """Whether any of them happens to attempts, which are made on workers then."""
        return any(fault.names(moment) for fault in self.faults for moment in _OF_ATTEMPTS)

    @property
    def at_writes(self) -> bool:
        """Whether any of them happens when something is written to the history store."""
        return any(fault.names("written") for fault in self.faults)

    def of(self, name: str) -> Fault:
        """The fault behind a name that was offered."""
        kind = name.partition(".")[0]
        return next(fault for fault in self.faults if type(fault).__name__ == kind)

    def __bool__(self) -> bool:
        return bool(self.faults) and self.most > 0

    def __repr__(self) -> str:
        if self.most == 1:
            return repr("any") if self.faults == ANY else repr(list(self.faults))
        return f"at_most({', '.join([str(self.most), *map(repr, self.faults)])})"


#: What may go wrong: faults, of which one strikes at most; ``"any"`` of them; ``at_most(...)``.
Risks: TypeAlias = "Faults | Iterable[Fault] | Literal['any']"


def at_most(number: int, *faults: Fault) -> Faults:
    """So many faults in a run at most, of those that are given; of all kinds, where none are."""
    if number < 0:
        raise SimulatorError(f"at_most takes a number of faults, 0 or more, not {number}")
    return Faults(_checked(faults or ANY), number)


def faults_of(risks: Risks) -> Faults:
    """What may go wrong. Raises ``SimulatorError`` for what is no fault."""
    if isinstance(risks, Faults):
        return risks
    if isinstance(risks, str):
        if risks != "any":
            raise SimulatorError(f'faults are a list of faults, at_most(...) or "any", not {risks!r}')
        return Faults(ANY)
    return Faults(_checked(tuple(risks)))


def _written(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


def _checked(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    kinds: set[type] = set()
    for fault in faults:
        if not isinstance(fault, Fault):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise SimulatorError(
                f"A fault is made by calling its class, such as WorkerDeath(), not {fault!r}"
            )
        kind = cast("type", type(fault))
        if kind in kinds:
            raise SimulatorError(
                f"There is more than one {kind.__name__}, and a schedule names faults by their kind"
            )
        kinds.add(kind)
    return faults


_DEATHS: Mapping[Moment, tuple[Death, ...]] = {
    "before": ("before", "during"),
    "after": ("unreported",),
    "reported": ("reported",),
}
_OF_ATTEMPTS: tuple[Moment, ...] = ("before", "after", "reported")

ANY: tuple[Fault, ...] = (
    WorkerDeath(),
    TaskError(),
    Delay(),
    LostResult(),
    DuplicateResult(),
    Partition(),
)
