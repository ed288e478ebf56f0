"""One call on its way to a worker."""

import pickle
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from itertools import chain
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from runtime.caching import persists
from runtime.context import CARRIED, FLOW_RUN, TAGS
from runtime.envelope import Attempt
from runtime.exceptions import NotSerializable
from runtime.futures import PrefectFuture
from runtime.hooks import plugins
from runtime.lifecycle import describe
from runtime.logging import TASK_RUNS
from runtime.parameters import put
from runtime.remote.code import Parcel, Surroundings, pack_definition, this_process
from runtime.remote.values import ATOMS, dump, dump_by_value
from runtime.results import MemoryResultStorage, ResultStorage, current_result_storage
from runtime.runs import RunInput, TaskDefinition, TaskRun
from runtime.settings import SETTINGS, Settings, current_settings

#: The runner's handle of an upstream result, or None where the value is to travel with the call.
Refer = Callable[["PrefectFuture[Any]"], Any]


class CallHeader(NamedTuple):
    """What a worker needs to know of one call; all but the arguments themselves."""

    id: str
    #: keys of the parcels
    definition: str
    surroundings: str
    number: int
    run_count: int
    task_run_id: bytes
    n: int
    title: str | None
    tags: tuple[str, ...]
    #: what ``tags`` says around the submitter
    tags_around: tuple[str, ...]
    #: what plugins let travel along
    carried: Mapping[str, str]
    parent: TaskRun | None
    #: the edges that lead here: kind, parameter, and the upstream run's id
    inputs: tuple[tuple[Literal["data", "wait_for"], str, bytes], ...]
    log_prints: bool
    #: where results are kept; None for a task that keeps none
    storage: ResultStorage | None
    #: the arguments as bytes, with an :class:`Arrival` where an upstream's value is to stand
    arguments: bytes


class PackedCall(NamedTuple):
    """A call that is ready to travel."""

    body: bytes
    definition: Parcel
    surroundings: Parcel
    #: the runner's handles of upstream results, in the order in which :func:`run` wants their values
    upstream: list[Any]


class Packer:
    """Packs the attempts that one task runner is given. May be used from any thread."""

    def __init__(self) -> None:
        self._definitions: dict[int, tuple[TaskDefinition, Parcel]] = {}
        self._surroundings: dict[tuple[int, ...], tuple[Any, Settings | None, tuple[Any, ...], Parcel]] = {}

    def pack(self, attempt: Attempt, id: str, refer: Refer) -> PackedCall:  # noqa: A002 - the word for it
        """The call that ``attempt`` stands for. Raises ``NotSerializable`` where something cannot travel."""
        call, context, run = attempt.call, attempt.context, attempt.task_run
        definition = self._definition(call.definition)
        surroundings = self._around(attempt)
        args, kwargs = call.args, call.kwargs
        upstream: list[Any] = []
        if call.has_references:
            args, kwargs = put(args, kwargs, _Referring(refer, upstream))
        header = CallHeader(
            id,
            definition.key,
            surroundings.key,
            attempt.number,
            attempt.run_count,
            run.id.bytes,
            run.n,
            run.title,
            run.tags,
            tuple(context.get(TAGS, ())),
            dict(context.get(CARRIED, {})),
            run.parent,
            tuple([(given.kind, given.parameter, given.task_run.bytes) for given in run.inputs]),
            attempt.log_prints,
            context.run(_storage, call.definition),
            _pack_arguments(call.definition, args, kwargs),
        )
        return PackedCall(pickle.dumps(tuple(header), protocol=5), definition, surroundings, upstream)

    def _definition(self, definition: TaskDefinition) -> Parcel:
        # by identity, and kept with it: another definition may come to lie at the same address
        found = self._definitions.get(id(definition))
        if found is None:
            found = self._definitions[id(definition)] = (definition, pack_definition(definition))
        return found[1]

    def _around(self, attempt: Attempt) -> Parcel:
        context, hook = attempt.context, plugins().hook.flows_around_attempts
        flow, settings = context.get(FLOW_RUN), context.get(SETTINGS)
        around = tuple(chain.from_iterable(hook(attempt=attempt))) if hook.get_hookimpls() else ()
        # by identity, like definitions
        key = (id(flow), id(settings), *map(id, around))
        found = self._surroundings.get(key)
        if found is None:
            surroundings = Surroundings(
                flow.flow_run if flow is not None else None,
                context.run(current_settings),
                TASK_RUNS.getEffectiveLevel(),
                this_process(),
                around,
            )
            found = self._surroundings[key] = (flow, settings, around, _pack_surroundings(surroundings))
        return found[-1]


class Arrival:
    """Stands for an upstream's value among arguments; read back on the worker, it is that value."""

    __slots__ = ("_position",)

    def __init__(self, position: int) -> None:
        self._position = position

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._position,)


def read_arguments(body: bytes, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call, with ``values`` where their arrivals stood."""
    if not values:
        return pickle.loads(body)  # noqa: S301 - written by the driver
    token = _values.set(values)
    try:
        return pickle.loads(body)  # noqa: S301 - written by the driver
    finally:
        _values.reset(token)


def read_inputs(inputs: tuple[tuple[Literal["data", "wait_for"], str, bytes], ...]) -> tuple[RunInput, ...]:
    """The edges that lead to a run."""
    return tuple(RunInput(kind, parameter, UUID(bytes=id_)) for kind, parameter, id_ in inputs)


class _Referring:
    """Replaces futures by arrivals, once for each future, or by their values."""

    def __init__(self, refer: Refer, upstream: list[Any]) -> None:
        self._refer = refer
        self._upstream = upstream
        self._arrivals: dict[int, Arrival] = {}

    def __call__(self, future: "PrefectFuture[Any]", failure_allowed: bool) -> Any:
        arrival = self._arrivals.get(id(future))
        if arrival is None:
            handle = self._refer(future)
            if handle is None:
                return future.get_state().result(raise_on_failure=not failure_allowed)
            arrival = self._arrivals[id(future)] = Arrival(len(self._upstream))
            self._upstream.append(handle)
        return arrival


def _pack_surroundings(surroundings: Surroundings) -> Parcel:
    if not surroundings.around:
        return Parcel.of(pickle.dumps(surroundings, protocol=5))
    try:
        return Parcel.of(dump_by_value(surroundings))
    except Exception as error:  # plugins may bring the user's own values
        raise NotSerializable(
            f"What plugins put around attempts cannot be sent to another process: {describe(error)}"
        ) from error


def _pack_arguments(definition: TaskDefinition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    if all(type(arg) in ATOMS for arg in args) and all(type(arg) in ATOMS for arg in kwargs.values()):
        return pickle.dumps((args, kwargs), protocol=5)
    try:
        return dump((args, kwargs))
    except Exception as error:  # the user's values may raise anything
        named = [(definition.signature.name_of(position), arg) for position, arg in enumerate(args)]
        for name, value in (*named, *kwargs.items()):
            try:
                dump(value)
            except Exception as cause:
                kind = cast("type[object]", type(value))
                raise NotSerializable(
                    f"The parameter '{name}' of task '{definition.name}', of type "
                    f"{kind.__module__}.{kind.__qualname__}, cannot be sent to another process: "
                    f"{describe(cause)}"
                ) from cause
        raise NotSerializable(
            f"The parameters of task '{definition.name}' cannot be sent to another process: {describe(error)}"
        ) from error


def _storage(definition: TaskDefinition) -> ResultStorage | None:
    if definition.policy.cache_key_fn is None and not persists(definition.policy):
        return None
    storage = current_result_storage()
    if isinstance(storage, MemoryResultStorage):
        raise NotSerializable(
            f"Task '{definition.name}' keeps its results in the memory of this process, where workers "
            "cannot reach them. Use a LocalResultStorage in a folder that all of them can reach, "
            "or a RemoteResultStorage."
        )
    return storage


def _arrived(position: int) -> Any:
    return _values.get()[position]


_values: ContextVar[tuple[Any, ...]] = ContextVar("flows_arrived_values", default=())
