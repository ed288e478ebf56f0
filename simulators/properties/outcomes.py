"""Outcomes that must stay the same: in whatever order things happen, and whatever happens twice.

The outcome of a test is what it returns. A test of effects returns what they amount to: the rows of a table,
the messages that were sent.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Any

from simulators.clusters import SimulatedCluster
from simulators.execution import Test, counted, followed
from simulators.exploration import Exploration, check, explore
from simulators.failures import FailureFound
from simulators.faults import DuplicateCall, Risks, at_most


class OtherOutcome(AssertionError):
    """The outcome is not what it should be."""


def assert_deterministic_result(test: Test, **options: Any) -> Exploration:
    """Raise ``FailureFound`` where ``test`` does not return the same under every schedule.

    What it returns in the usual order, without faults, is right. ``options`` are those of ``check``.
    """
    return check(returning(test, usual_outcome(test, **options)), **options)


def assert_idempotent(test: Test, *, most: int = 1, **options: Any) -> Exploration:
    """Raise ``FailureFound`` where it makes a difference that a task was run twice, at whatever point.

    What ``test`` returns must be what it could return when every task ran once. ``most`` attempts are made
    twice in a run. ``options`` are those of ``check``.
    """
    options = {"cluster": SimulatedCluster(), **options}
    once = _sound(explore(test, **options))
    return check(returning(test, once.outcomes), faults=at_most(most, DuplicateCall()), **options)


def assert_exactly_once(
    test: Test, effects: Callable[[], Iterable[Hashable]], *, faults: Risks = "any", **options: Any
) -> Exploration:
    """Raise ``FailureFound`` where an effect is missing, or there twice, although something went wrong.

    ``effects`` lists what ``test`` has done, such as the keys of the rows that it wrote. What it lists in the
    usual order, without faults, is what there must be. ``options`` are those of ``check``.
    """
    options = {"cluster": SimulatedCluster(), **options}
    (listed,) = usual_outcome(followed(test, lambda _: tuple(effects())), **options)
    expected = set(listed)

    def judge(result: Any) -> Any:
        found = Counter(effects())
        for effect in sorted(expected | found.keys(), key=repr):
            if found[effect] != 1:
                times = "missing" if not found[effect] else f"there {found[effect]} times"
                raise OtherOutcome(f"The effect {effect!r} is {times}.")
        return result

    return check(followed(test, judge), faults=faults, **options)


def usual_outcome(test: Test, **options: Any) -> list[Any]:
    """What comes of ``test`` in the usual order, without faults: one outcome. Raises ``FailureFound``."""
    usual: dict[str, Any] = {**options, "strategy": "fifo", "faults": ()}
    return list(_sound(explore(test, **usual)).outcomes)


def returning(test: Test, expected: Collection[Any]) -> Test:
    """The test, failing where it returns something else."""

    def judge(result: Any) -> Any:
        outcome = counted(result)
        if outcome not in expected:
            usual = " or ".join(sorted(map(repr, expected))[:5])
            raise OtherOutcome(f"The outcome is {outcome!r}, and should be {usual}.")
        return result

    return followed(test, judge)


def _sound(exploration: Exploration) -> Exploration:
    if exploration.failures:
        raise FailureFound(exploration.failures[0]) from exploration.failures[0].error
    return exploration
