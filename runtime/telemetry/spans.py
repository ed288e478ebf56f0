"""Flow runs and task runs as spans of OpenTelemetry.

A span goes from Pending to the end of the run, and each state on the way is an event of it. Task runs are
children of whoever submitted them, an outermost flow run of the span around its call. Code in a run finds
the run's span as the current one, in other processes too: what it traces hangs below.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer, TracerProvider

from runtime.context import CARRIED
from runtime.history import StateChange
from runtime.hooks import hookimpl
from runtime.runs import FlowRun, TaskRun
from runtime.states import State


class Spans:
    """A plugin that makes spans, with the tracer provider of the process unless told otherwise."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._lock = Lock()
        #: of runs under way
        self._spans: dict[UUID, Span] = {}

    @hookimpl
    def flows_state_change(self, change: StateChange) -> None:
        """Begin, continue or end the span of a run."""
        run, state = change.run, change.state
        with self._lock:
            if state.is_pending() and run.id not in self._spans:
                self._spans[run.id] = self._begun(run, change)
            span = self._spans.pop(run.id, None) if state.is_settled() else self._spans.get(run.id)
        if span is None:  # it had ended when somebody else's change of it was heard of
            return
        moment = _nanoseconds(change.at)
        about: dict[str, str | int] = {"flows.attempt": change.attempt}
        if state.message is not None:
            about["flows.message"] = state.message
        if change.worker is not None:
            about["flows.worker"] = change.worker
        span.add_event(state.name, about, timestamp=moment)
        if state.is_settled():
            span.set_attribute("flows.state", state.name)
            span.set_status(_status(state))
            span.end(moment)

    @hookimpl
    def flows_enter_run(self, run: FlowRun | TaskRun) -> None:
        """Make the span of the run the current one for its code, here or in another process."""
        span = self._spans.get(run.id)
        if span is not None:
            contexts.attach(trace.set_span_in_context(span))  # never detached: the context is the run's own
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            CARRIED.set({**CARRIED.get(), **carrier})

    @hookimpl
    def flows_around_attempts(self) -> list[Callable[[], AbstractContextManager[None]]]:
        """Take it up on the worker."""
        return [_taken_up]

    def _begun(self, run: FlowRun | TaskRun, change: StateChange) -> Span:
        owner = self._owner(run)
        about: dict[str, str | int] = {
            "flows.run.id": str(run.id),
            "flows.run.name": run.name,
            "flows.run.count": change.run_count,
            "flows.name": run.flow_name if isinstance(run, FlowRun) else run.task_name,
        }
        return self._tracer().start_span(
            f"flow {run.flow_name}" if isinstance(run, FlowRun) else f"task {run.task_name}",
            context=trace.set_span_in_context(owner) if owner is not None else None,
            attributes=about,
            start_time=_nanoseconds(change.at),
        )

    def _owner(self, run: FlowRun | TaskRun) -> Span | None:
        if isinstance(run, FlowRun):
            return self._spans.get(run.parent_id) if run.parent_id is not None else None
        submitter = self._spans.get(run.parent.id) if run.parent is not None else None
        if submitter is None and run.flow_run_id is not None:
            return self._spans.get(run.flow_run_id)
        return submitter

    def _tracer(self) -> Tracer:
        return trace.get_tracer("pytest-flows", tracer_provider=self._provider)


@contextmanager
def _taken_up() -> Generator[None]:
    token = contexts.attach(propagate.extract(CARRIED.get()))
    try:
        yield
    finally:
        contexts.detach(token)


def _status(state: State) -> Status:
    if state.is_completed():
        return Status(StatusCode.OK)
    if state.is_failed() or state.is_crashed():
        return Status(StatusCode.ERROR, state.message)
    return Status(StatusCode.UNSET)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
