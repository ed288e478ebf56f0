"""Runs as records, and what a task hands down to have one run."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, Literal
from uuid import UUID

from runtime.policies import RunPolicy, StateHook
from runtime.states import StateType


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One run of a flow: what replay and resume need to know of it."""

    id: UUID
    name: str
    flow_name: str
    #: how many runs of this flow the parent had before
    n: int = 0
    flow_version: str | None = None
    parent_id: UUID | None = None
    #: ``module:qualname`` of the flow's function, and the file it is in
    entry_point: str = ""
    #: what the flow was called with, as JSON text; secrets and what JSON cannot say are described
    parameters: str = "{}"
    #: SHA-256 of the function's source, "" where there is none
    code_hash: str = ""
    #: seconds since the epoch
    created: float = 0.0
    tags: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """The name that histories know it by: flow name and number in the parent."""
        return f"{self.flow_name}-{self.n}"


@dataclass(frozen=True, slots=True)
class RunInput:
    """One edge of the graph of inputs: ``task_run`` was upstream of the run that holds this."""

    kind: Literal["data", "wait_for"]
    #: name of the parameter; "" for ``wait_for``
    parameter: str
    task_run: UUID


class TaskRun:
    """One run of a task."""

    __slots__ = ("flow_run_id", "id", "inputs", "n", "parent", "tags", "task_key", "task_name", "title")

    def __init__(
        self,
        id: UUID,  # noqa: A002 - the word that users know
        task_name: str,
        task_key: str,
        n: int,
        flow_run_id: UUID | None,
        parent: "TaskRun | None" = None,
        title: str | None = None,
        tags: tuple[str, ...] = (),
        inputs: tuple[RunInput, ...] = (),
    ) -> None:
        self.id = id
        self.task_name = task_name
        #: 8 hex digits that stand for the task's function
        self.task_key = task_key
        #: how many runs of this task the submitter had before
        self.n = n
        #: None for a task called outside of any flow
        self.flow_run_id = flow_run_id
        #: the task run that called or submitted it, where that was not the flow itself
        self.parent = parent
        #: what the option ``task_run_name`` made of it
        self.title = title
        self.tags = tags
        self.inputs = inputs

    @property
    def name(self) -> str:
        """``add-a087a829-0``, or what ``task_run_name`` says."""
        return self.title or f"{self.task_name}-{self.task_key}-{self.n}"

    @property
    def short_name(self) -> str:
        """``add-0``, or ``outer-0/add-0`` for a run that another task run submitted."""
        names = [f"{self.task_name}-{self.n}"]
        submitter = self.parent
        while submitter is not None:  # not by recursion: each run of a long chain may submit the next
            names.append(f"{submitter.task_name}-{submitter.n}")
            submitter = submitter.parent
        return "/".join(reversed(names))

    def __repr__(self) -> str:
        return f"TaskRun({self.name!r})"


@dataclass(frozen=True, slots=True, eq=False)
class TaskDefinition:
    """What stays the same for all runs of a task. On clusters it travels once."""

    #: the task that the user sees; handed to hooks, never looked into
    task: Any
    function: Callable[..., Any]
    name: str
    key: str
    policy: RunPolicy
    is_async: bool
    #: what the function takes
    signature: Any
    tags: tuple[str, ...] = ()
    run_name: "str | Callable[[dict[str, Any]], str] | None" = None
    hooks: Mapping[StateType, tuple[StateHook, ...]] = field(default_factory=dict[StateType, Any])

    @property
    def code_hash(self) -> str:
        """SHA-256 of the function's source, "" where there is none."""
        return _code_hash(self.function)


class TaskCall:
    """One call of a task. ``args`` and ``kwargs`` may hold futures where ``has_references`` says so."""

    __slots__ = ("args", "definition", "has_references", "kwargs")

    def __init__(
        self,
        definition: TaskDefinition,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        has_references: bool = False,
    ) -> None:
        self.definition = definition
        self.args = args
        self.kwargs = kwargs
        self.has_references = has_references


@dataclass(frozen=True, slots=True, eq=False)
class FlowDefinition:
    """What stays the same for all runs of a flow."""

    flow: Any
    function: Callable[..., Any]
    name: str
    version: str | None
    policy: RunPolicy
    is_async: bool
    entry_point: str
    run_name: "str | Callable[[dict[str, Any]], str] | None" = None
    hooks: Mapping[StateType, tuple[StateHook, ...]] = field(default_factory=dict[StateType, Any])

    @property
    def code_hash(self) -> str:
        """SHA-256 of the function's source, "" where there is none."""
        return _code_hash(self.function)


@dataclass(frozen=True, slots=True, eq=False)
class FlowCall:
    """One call of a flow: ``parameters`` by name, in the order of the signature."""

    definition: FlowDefinition
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parameters: dict[str, Any]
    task_runner: Any
    #: set instead of running where the parameters were refused
    refused: Exception | None = None
    #: the history of the flow run that this call goes on with
    resumed: Any = None


def _code_hash(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return _source_hash(code) if code is not None else ""


@lru_cache(maxsize=1024)
def _source_hash(code: CodeType) -> str:
    try:
        return hashlib.sha256(inspect.getsource(code).encode()).hexdigest()
    except (OSError, TypeError):
        return ""
