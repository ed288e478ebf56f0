"""Crashes of the driver: after each state change, and then the flow run is resumed."""

from typing import Any

from runtime import Flow
from simulators.clusters import SimulatedCluster
from simulators.exploration import Exploration, check
from simulators.faults import DriverCrash, Risks
from simulators.processes import see_through
from simulators.properties.outcomes import returning, usual_outcome
from simulators.schedules import Points
from simulators.strategies import Strategy

CRASHES: Risks = (DriverCrash(),)


def assert_resumable(
    flow: "Flow[..., Any]",
    *args: Any,
    faults: Risks = CRASHES,
    strategy: str | Strategy = "faults",
    schedules: int | None = None,
    points: Points = "operations",
    seed: int = 0,
    cluster: SimulatedCluster | None = None,
    **kwargs: Any,
) -> Exploration:
    """Raise ``FailureFound`` where a crash of the driver changes what the flow returns.

    The flow is called with ``args`` and ``kwargs``. Its process ends after the first state change, and the
    run is resumed in another one; and so on for each change, with all that was written, or with no more than
    was safe. Results that tasks persist are there for the resumed run, and what lies in modules. ``faults``
    may be others besides, such as ``at_most(2, DriverCrash(), WorkerDeath())``; the rest is as for ``check``.
    """
    options: dict[str, Any] = {"points": points, "seed": seed, "cluster": cluster}

    def test() -> Any:
        return see_through(flow, *args, **kwargs)

    expected = usual_outcome(test, **options)
    return check(returning(test, expected), faults=faults, strategy=strategy, schedules=schedules, **options)
