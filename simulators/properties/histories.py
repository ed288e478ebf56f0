"""Properties of histories: what never happens, what happens in the end, and what one thing leads to."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

from runtime.history import FlowRunHistory, StateChange
from simulators.execution import Test, followed
from simulators.exploration import Exploration, check
from simulators.simulation import simulation_here

#: A change of state: ``"charge-* Failed"``, patterns for the names of run and state; or a function.
Happening: TypeAlias = "str | Callable[[StateChange], bool]"


class Property(NamedTuple):
    """Something that is true of a history, or not. Called with one, it raises ``AssertionError``."""

    text: str
    #: says what is wrong, or nothing
    problem: Callable[[list[StateChange]], str | None]

    def __call__(self, history: FlowRunHistory) -> None:
        """Raise ``AssertionError`` where it is not true of the history."""
        changes = list(history)
        problem = self.problem(changes)
        if problem is not None:
            raise AssertionError("\n".join([f"{self.text}: {problem}", *map(_line, changes)]))


def never(what: Happening) -> Property:
    """No such change happens."""
    happens = _matching(what)

    def problem(changes: list[StateChange]) -> str | None:
        found = next(filter(happens, changes), None)
        return None if found is None else f"{_name(found)} happened"

    return Property(f"never {_text(what)}", problem)


def eventually(what: Happening) -> Property:
    """Such a change happens."""
    happens = _matching(what)

    def problem(changes: list[StateChange]) -> str | None:
        return None if any(map(happens, changes)) else "it did not happen"

    return Property(f"eventually {_text(what)}", problem)


def leads_to(cause: Happening, effect: Happening) -> Property:
    """After each change of the first kind comes one of the second."""
    causes, effects = _matching(cause), _matching(effect)

    def problem(changes: list[StateChange]) -> str | None:
        last_effect = max((n for n, change in enumerate(changes) if effects(change)), default=-1)
        left = next((change for change in changes[last_effect + 1 :] if causes(change)), None)
        if left is None and last_effect >= 0 and causes(changes[last_effect]):
            left = changes[last_effect]
        return None if left is None else f"after {_name(left)} it did not happen"

    return Property(f"{_text(cause)} leads to {_text(effect)}", problem)


def assert_holds(test: Test, *properties: Property, **options: Any) -> Exploration:
    """Raise ``FailureFound`` where a property is not true of a history that ``test`` makes.

    The histories are those of outermost flow runs. ``options`` are those of ``check``.
    """

    def judge(result: Any) -> Any:
        simulation = simulation_here()
        assert simulation is not None
        for run in simulation.histories.flow_runs():
            for holds in properties:
                holds(simulation.histories.history(run.id))
        return result

    return check(followed(test, judge), **options)


def _matching(what: Happening) -> Callable[[StateChange], bool]:
    if not isinstance(what, str):
        return what
    name, _, state = what.partition(" ")
    if not state:
        raise ValueError(f'A change reads "charge-* Failed": a run and a state, not {what!r}')
    return lambda change: fnmatchcase(change.run.short_name, name) and fnmatchcase(change.state.name, state)


def _text(what: Happening) -> str:
    return what if isinstance(what, str) else getattr(what, "__name__", "that")


def _name(change: StateChange) -> str:
    return f"{change.run.short_name} {change.state.name}"


def _line(change: StateChange) -> str:
    return f"  {change.elapsed:10.3f} s  {_name(change)}"
