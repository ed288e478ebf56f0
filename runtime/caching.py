"""Results shared between runs by a key that the task's own function makes of its parameters."""

import hashlib
import io
import pickle
from typing import Any, cast

from runtime.context import TaskRunContext
from runtime.logging import ENGINE
from runtime.policies import RunPolicy
from runtime.results import ResultError, StoredResult, current_result_storage
from runtime.runs import FlowRun, TaskRun
from runtime.settings import current_settings


def cache_key(policy: RunPolicy, context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    """The key of a run's result; None where it has none. Raises what ``cache_key_fn`` raises."""
    if policy.cache_key_fn is None:
        return None
    key = policy.cache_key_fn(context, parameters)
    if key is not None and not isinstance(cast("object", key), str):
        raise TypeError(f"cache_key_fn must return a string or None, not {key!r}")
    return key


def cached(key: str, now: float) -> StoredResult | None:
    """The result kept under ``key``, unless it has expired at ``now`` (seconds since the epoch)."""
    found = current_result_storage().read(key)
    if found is None or (found.expires is not None and found.expires <= now):
        return None
    return found


def keep(key: str, value: Any, policy: RunPolicy, now: float) -> None:
    """Keep a result under ``key``. One that cannot be kept is logged: the run has its result all the same."""
    expires = None if policy.cache_expiration is None else now + policy.cache_expiration.total_seconds()
    try:
        current_result_storage().write(key, StoredResult(value, expires))
    except ResultError as error:
        ENGINE.warning("Not cached under %r: %s", key, error)


def persists(policy: RunPolicy) -> bool:
    """Whether the results of a task's, or a flow's, runs outlive the process."""
    return policy.persist_result or current_settings().persist_results


def result_key(run: TaskRun, parameters: dict[str, Any], code_hash: str) -> str | None:
    """The key of a task run's own result: another one as soon as its code or its parameters are others.

    None for parameters that cannot be pickled.
    """
    inputs = _hash_of(run.task_key, parameters)
    return None if inputs is None else f"run/{run.flow_run_id}/{run.short_name}/{code_hash}/{inputs}"


def flow_result_key(flow_run: FlowRun, parameters: dict[str, Any]) -> str | None:
    """The same of a flow run."""
    inputs = _hash_of(flow_run.flow_name, parameters)
    return None if inputs is None else f"run/{flow_run.id}/flow/{flow_run.code_hash}/{inputs}"


def persist(key: str, value: Any) -> None:
    """Keep a run's own result. One that cannot be kept is logged: it is made again where it is resumed."""
    try:
        current_result_storage().write(key, StoredResult(value))
    except ResultError as error:
        ENGINE.warning("Not kept for a resumed run: %s", error)


def task_input_hash(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    """A ``cache_key_fn``: the same task with the same parameters, whatever they are, shares one result.

    None, so no caching, for parameters that cannot be pickled.
    """
    return _hash_of(context.task_run.task_key, parameters)


def _hash_of(name: str, parameters: dict[str, Any]) -> str | None:
    try:
        pickled = [_pickled((parameter, parameters[parameter])) for parameter in sorted(parameters)]
    except Exception:  # the user's values may raise anything
        return None
    return hashlib.sha256(b"".join([name.encode("utf-8", "surrogatepass"), *pickled])).hexdigest()


def _pickled(value: object) -> bytes:
    """The value as bytes; unless it is large, the same for one object held twice and for two equal ones."""
    written = _Written()
    pickler = pickle.Pickler(written, protocol=5)
    pickler.fast = True  # looks up nothing that it has written before
    try:
        pickler.dump(value)
    except (_TooLarge, ValueError, RecursionError):  # or something that holds itself
        return pickle.dumps(value, protocol=5)
    return written.getvalue()


class _TooLarge(Exception):
    pass


class _Written(io.BytesIO):
    """Takes so much and no more: what is held a million times over would be written as often."""

    def write(self, data: Any, /) -> int:
        if self.tell() > 1_000_000:
            raise _TooLarge
        return super().write(data)
