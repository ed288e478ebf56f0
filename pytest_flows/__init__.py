"""Tests of flows: what a suite imports. The fixtures and options come by themselves."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_flows.assertions import (
        assert_history,
        assert_max_concurrency,
        assert_never_ran,
        assert_overlapped,
        assert_ran_before,
        assert_retried,
        assert_same_outcome,
        max_concurrency,
    )
    from pytest_flows.flow_runs import FlowRuns
    from pytest_flows.patterns import RETRIES, repeated
    from pytest_flows.simulating import ScheduleDrift, SharedFixtureWarning
    from pytest_flows.suite import TaskRunnerStandardTestSuite

__all__ = [
    "RETRIES",
    "FlowRuns",
    "ScheduleDrift",
    "SharedFixtureWarning",
    "TaskRunnerStandardTestSuite",
    "assert_history",
    "assert_max_concurrency",
    "assert_never_ran",
    "assert_overlapped",
    "assert_ran_before",
    "assert_retried",
    "assert_same_outcome",
    "max_concurrency",
    "repeated",
]

# pytest imports this package in every run, also where there is no flow: what needs the runtime comes late.
_LAZY = {
    "FlowRuns": "flow_runs",
    "RETRIES": "patterns",
    "ScheduleDrift": "simulating",
    "SharedFixtureWarning": "simulating",
    "TaskRunnerStandardTestSuite": "suite",
    "repeated": "patterns",
    **dict.fromkeys((name for name in __all__ if name.startswith(("assert_", "max_"))), "assertions"),
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"pytest_flows.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
