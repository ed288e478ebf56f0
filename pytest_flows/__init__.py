"""Tests of flows: what a suite imports. The fixtures and options come by themselves."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_flows.assertions import (
        assert_history,
        assert_max_concurrency,
        assert_overlapped,
        assert_ran_before,
        assert_same_outcome,
    )
    from pytest_flows.flow_runs import FlowRuns
    from pytest_flows.simulating import ScheduleDrift, SharedFixtureWarning
    from pytest_flows.suite import TaskRunnerStandardTestSuite

__all__ = [
    "FlowRuns",
    "ScheduleDrift",
    "SharedFixtureWarning",
    "TaskRunnerStandardTestSuite",
    "assert_history",
    "assert_max_concurrency",
    "assert_overlapped",
    "assert_ran_before",
    "assert_same_outcome",
]

# pytest imports this package in every run, also where there is no flow: what needs the runtime comes late.
_LAZY = {
    "FlowRuns": "pytest_flows.flow_runs",
    "ScheduleDrift": "pytest_flows.simulating",
    "SharedFixtureWarning": "pytest_flows.simulating",
    "TaskRunnerStandardTestSuite": "pytest_flows.suite",
    "assert_history": "pytest_flows.assertions",
    "assert_max_concurrency": "pytest_flows.assertions",
    "assert_overlapped": "pytest_flows.assertions",
    "assert_ran_before": "pytest_flows.assertions",
    "assert_same_outcome": "pytest_flows.assertions",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
