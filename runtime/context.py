"""What code that runs in a flow or a task finds around it."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field, replace
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from runtime.clocks import Clock, SystemClock
from runtime.exceptions import MissingContext
from runtime.history import HistoryStore, MemoryHistoryStore
from runtime.history.names import make_history_store
from runtime.identities import Identities, RandomIdentities
from runtime.runs import FlowRun, TaskCall, TaskRun
from runtime.settings import current_settings
from runtime.threads import SystemThreads, Threads

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


#: given the call of a task run, the call to make in its place
Stub: TypeAlias = Callable[[TaskCall, TaskRun], TaskCall]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the engine takes from the world: time, chance, threads, and a place for histories.

    The real one is the default. A scheduler that owns them hands in its own; the engine cannot tell.
    """

    clock: Clock = field(default_factory=SystemClock)
    identities: Identities = field(default_factory=RandomIdentities)
    threads: Threads = field(default_factory=SystemThreads)
    store: HistoryStore = field(default_factory=MemoryHistoryStore)
    #: what is called in place of tasks' functions; None: those themselves
    stub: Stub | None = None


class FlowRunContext:
    """The flow run around the code that asks."""

    __slots__ = (
        "environment",
        "flow_run",
        "is_async",
        "log_prints",
        "loop",
        "parameters",
        "run_count",
        "scope",
    )

    def __init__(
        self,
        flow_run: FlowRun,
        environment: Environment,
        parameters: dict[str, Any],
        scope: Any,
        *,
        is_async: bool,
        log_prints: bool,
    ) -> None:
        self.flow_run = flow_run
        self.environment = environment
        self.parameters = parameters
        self.is_async = is_async
        self.log_prints = log_prints
        #: the loop that an async flow runs on
        self.loop: AbstractEventLoop | None = None
        #: the engine's own side of the flow run
        self.scope = scope
        #: which attempt of the flow this code belongs to, counted from 1
        self.run_count = 1

    def again(self, run_count: int) -> "FlowRunContext":
        """The context of a later attempt."""
        later = copy(self)
        later.run_count = run_count
        return later


class Bindable(Protocol):
    """Knows which argument belongs to which parameter."""

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The value of each parameter."""
        ...


class TaskRunContext:
    """The task run around the code that asks."""

    __slots__ = (
        "args",
        "attempt",
        "is_async",
        "kwargs",
        "log_prints",
        "run_count",
        "signature",
        "task",
        "task_run",
        "worker",
    )

    def __init__(
        self,
        task_run: TaskRun,
        task: Any,
        attempt: int,
        run_count: int,
        worker: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        signature: Bindable,
        *,
        is_async: bool,
        log_prints: bool,
    ) -> None:
        self.task_run = task_run
        self.task = task
        #: counted from 1
        self.attempt = attempt
        self.run_count = run_count
        self.worker = worker
        self.args = args
        self.kwargs = kwargs
        self.signature = signature
        self.is_async = is_async
        self.log_prints = log_prints

    @property
    def parameters(self) -> dict[str, Any]:
        """What the task was called with, by name, upstream results in place."""
        return self.signature.bind(self.args, self.kwargs)


FLOW_RUN: ContextVar[FlowRunContext | None] = ContextVar("flows_flow_run", default=None)
TASK_RUN: ContextVar[TaskRunContext | None] = ContextVar("flows_task_run", default=None)
TAGS: ContextVar[frozenset[str]] = ContextVar("flows_tags", default=frozenset())
#: text that plugins let travel along with the attempts of a run, wherever they are made
CARRIED: ContextVar[Mapping[str, str]] = ContextVar("flows_carried", default=MappingProxyType({}))
_ENVIRONMENT: ContextVar[Environment | None] = ContextVar("flows_environment", default=None)
_real: Environment | None = None
_making = Lock()


def current_environment() -> Environment:
    """The environment that a flow called here would run in."""
    return _ENVIRONMENT.get() or _real or _made()


def _made() -> Environment:
    """The environment of this process, made at first use: it has the history store that the settings name."""
    global _real
    with _making:
        if _real is None:
            name = current_settings().history
            _real = Environment() if name is None else Environment(store=make_history_store(name))
        return _real


@contextmanager
def environment(**changes: Any) -> Generator[Environment]:
    """Run flows in an environment that differs in ``changes``, for the length of a block."""
    changed = replace(current_environment(), **changes)
    token = _ENVIRONMENT.set(changed)
    try:
        yield changed
    finally:
        _ENVIRONMENT.reset(token)


@contextmanager
def default_environment(**changes: Any) -> Generator[Environment]:
    """Like :func:`environment`, for all threads and contexts of the process that chose no other one."""
    global _real
    before, _real = _real, replace(_real or _made(), **changes)
    try:
        yield _real
    finally:
        _real = before


def get_run_context() -> FlowRunContext | TaskRunContext:
    """The context of the task run, or else the flow run, that this is called in.

    Raises ``MissingContext`` outside of both.
    """
    context = TASK_RUN.get() or FLOW_RUN.get()
    if context is None:
        raise MissingContext("There is no run here: call this inside of a flow or a task.")
    return context


@contextmanager
def tags(*names: str) -> Generator[frozenset[str]]:
    """Tag all runs that begin inside of the block."""
    for name in names:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise TypeError(f"tags must be strings, not {name!r}")
    token = TAGS.set(TAGS.get() | frozenset(names))
    try:
        yield TAGS.get()
    finally:
        TAGS.reset(token)


def may_await() -> bool:
    """Whether the code here can await: it is in an async run, or in none at all."""
    context = TASK_RUN.get() or FLOW_RUN.get()
    return context is None or context.is_async
