"""Flows and tasks, run sequentially, concurrently, on Dask or on Ray, with a history of every state."""

from runtime.context import get_run_context, tags
from runtime.flows import Flow, flow
from runtime.logging import get_run_logger
from runtime.parameters import allow_failure, quote, unmapped
from runtime.states import State
from runtime.tasks import Task, task

__all__ = [
    "Flow",
    "State",
    "Task",
    "allow_failure",
    "flow",
    "get_run_context",
    "get_run_logger",
    "quote",
    "tags",
    "task",
    "unmapped",
]
