"""The engine: it moves runs, carrying out what their lifecycles ask for. It knows no Task and no Flow."""

from runtime.engine.flow_runs import cancel_flow_run, run_flow, run_flow_async, run_flow_on_loop
from runtime.engine.submission import call_task, call_task_async, submit_task

__all__ = [
    "call_task",
    "call_task_async",
    "cancel_flow_run",
    "run_flow",
    "run_flow_async",
    "run_flow_on_loop",
    "submit_task",
]
