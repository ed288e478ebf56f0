"""What authors of flows want to be sure of, in one line each."""

from simulators.properties.histories import Property, assert_holds, eventually, leads_to, never
from simulators.properties.linearizability import NotLinearizable, assert_linearizable
from simulators.properties.outcomes import (
    OtherOutcome,
    assert_deterministic_result,
    assert_exactly_once,
    assert_idempotent,
)
from simulators.properties.resuming import assert_resumable
from simulators.properties.runners import assert_runner_equivalent

__all__ = [
    "NotLinearizable",
    "OtherOutcome",
    "Property",
    "assert_deterministic_result",
    "assert_exactly_once",
    "assert_holds",
    "assert_idempotent",
    "assert_linearizable",
    "assert_resumable",
    "assert_runner_equivalent",
    "eventually",
    "leads_to",
    "never",
]
