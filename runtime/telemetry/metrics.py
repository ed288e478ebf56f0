"""Flow runs and task runs as metrics of Prometheus.

A program that stays lets itself be asked (``prometheus_client.start_http_server``). One that cron starts is
gone before anybody asks: with ``FLOWS_METRICS_FILE`` the metrics are written to a file each time an outermost
flow run ends, for the textfile collector of the node exporter.
"""

from threading import Lock
from uuid import UUID

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from runtime.history import StateChange
from runtime.hooks import hookimpl
from runtime.logging import ENGINE
from runtime.runs import FlowRun, TaskRun
from runtime.settings import current_settings

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)


class Metrics:
    """A plugin that counts and measures, in the registry of the process unless told otherwise.

    Labels are names of flows and tasks, and types of states: none that grows with the number of runs.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._lock = Lock()
        #: when the runs under way began to wait, and to run
        self._began: dict[UUID, float] = {}
        self._ended = {
            kind: Counter(f"flows_{kind}_runs", f"{kind} runs that ended", [kind, "state"], registry=registry)
            for kind in ("flow", "task")
        }
        self._under_way = {
            kind: Gauge(f"flows_{kind}_runs_under_way", f"{kind} runs under way", [kind], registry=registry)
            for kind in ("flow", "task")
        }
        self._seconds = {
            kind: Histogram(
                f"flows_{kind}_run_seconds",
                f"time from Pending to the end of {kind} runs",
                [kind],
                registry=registry,
                buckets=_BUCKETS,
            )
            for kind in ("flow", "task")
        }
        self._retries = Counter(
            "flows_task_retries", "attempts that failed and were tried again", ["task"], registry=registry
        )

    @hookimpl
    def flows_state_change(self, change: StateChange) -> None:
        """Count."""
        run, state = change.run, change.state
        kind, name = _kind(run)
        if state.name == "AwaitingRetry" and kind == "task":
            self._retries.labels(name).inc()
        with self._lock:
            if state.is_pending() and run.id not in self._began:
                self._began[run.id] = change.elapsed
                self._under_way[kind].labels(name).inc()
            began = self._began.pop(run.id, None) if state.is_settled() else None
        if began is None:
            return
        self._under_way[kind].labels(name).dec()
        self._ended[kind].labels(name, "notready" if state.is_pending() else state.type.value.lower()).inc()
        self._seconds[kind].labels(name).observe(change.elapsed - began)
        if isinstance(run, FlowRun) and run.parent_id is None:
            self._write()

    def _write(self) -> None:
        file = current_settings().metrics_file
        if file is None:
            return
        try:
            write_to_textfile(str(file), self._registry)
        except OSError as error:  # metrics are not worth a flow run
            ENGINE.warning("The metrics were not written to %s: %s", file, error)


def _kind(run: FlowRun | TaskRun) -> tuple[str, str]:
    return ("flow", run.flow_name) if isinstance(run, FlowRun) else ("task", run.task_name)
