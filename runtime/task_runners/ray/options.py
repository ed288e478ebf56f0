"""What Ray is to know of the tasks submitted in a block: the resources that they need, and the like."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any

from runtime.task_runners.ray.native import ray

#: What the task runner sets itself, and what to use instead.
_OURS = {
    "num_returns": "A task has one result.",
    "max_retries": "Use the task's own option `retries`: it is the flow that tries again.",
    "retry_exceptions": "Use the task's own options `retries` and `retry_condition_fn`.",
    "max_calls": "A worker serves many tasks.",
}


@contextmanager
def remote_options(**options: Any) -> Generator[None]:
    """Submit tasks with these options of ``ray.remote``, such as ``num_cpus``, for the length of a block.

    Blocks within each other add up. Other task runners do not look at them. Raises ``ValueError`` for
    what Ray does not know, and for ``max_retries`` and its like: flows see to that themselves.
    """
    for name, instead in _OURS.items():
        if name in options:
            raise ValueError(f"remote_options() does not take {name}. {instead}")
    _probe.options(**options)  # Ray checks them; otherwise each submission would fail
    token = _OPTIONS.set({**_OPTIONS.get(), **options})
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def options_in(context: Context) -> dict[str, Any]:
    """The options in force where ``context`` was taken."""
    return context.get(_OPTIONS, _NONE)


@ray.remote
def _probe() -> None:
    return None


_NONE: dict[str, Any] = {}
_OPTIONS: ContextVar[dict[str, Any]] = ContextVar("flows_ray_options", default=_NONE)
