"""What other systems want to hear of runs: spans for OpenTelemetry, metrics for Prometheus.

Both are plugins, and neither library is imported before it is asked for:
``FLOWS_PLUGINS=runtime.telemetry:Spans,runtime.telemetry:Metrics``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.telemetry.metrics import Metrics
    from runtime.telemetry.spans import Spans

__all__ = ["Metrics", "Spans"]


def __getattr__(name: str) -> Any:
    if name == "Metrics":
        from runtime.telemetry.metrics import Metrics

        return Metrics
    if name == "Spans":
        from runtime.telemetry.spans import Spans

        return Spans
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
