"""Patterns that the histories of runs are held against: ``["Pending", "Running", RETRIES, "Completed"]``.

Matching is Thompson's construction, *Programming Techniques: Regular expression search algorithm*, CACM 1968:
all ways through the pattern are followed at once, so it is known what could have come where none goes on.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import EllipsisType
from typing import NamedTuple, TypeAlias

from runtime.history import StateHistory
from runtime.states import State, StateType

#: the name or type of a state, a set of those of which one is meant, ``...`` for any states, or a repetition
Entry: TypeAlias = "str | AbstractSet[str | StateType] | EllipsisType | Repeated"


@dataclass(frozen=True, slots=True)
class Repeated:
    """States that come again and again, in this order."""

    entries: tuple[Entry, ...]
    at_least: int
    at_most: int | None

    def __repr__(self) -> str:
        most = "" if self.at_most is None else self.at_most
        times = "*" if (self.at_least, self.at_most) == (0, None) else f"{{{self.at_least},{most}}}"
        return f"({' -> '.join(map(described, self.entries))}){times}"


def repeated(*entries: Entry, at_least: int = 0, at_most: int | None = None) -> Repeated:
    """A part of a pattern that may come several times, or not at all."""
    if not entries or at_least < 0 or (at_most is not None and at_most < max(1, at_least)):
        raise ValueError("repeated() takes what is repeated, and how often: 0 <= at_least <= at_most")
    return Repeated(entries, at_least, at_most)


#: any number of retries
RETRIES = repeated("AwaitingRetry", "Retrying")


class Deviation(NamedTuple):
    """Where a history leaves a pattern."""

    #: position of the first change that does not fit; the length of a history that ends too early
    position: int
    #: what would have fitted there
    expected: list[str]


def deviation(history: StateHistory, pattern: Sequence[Entry]) -> Deviation | None:
    """Where ``history`` leaves ``pattern``; None where it follows it from beginning to end."""
    program = list(_program(pattern))
    reached = _reached(program, {0})
    for position, state in enumerate(history.states):
        following = {at + 1 for at in reached if at < len(program) and _accepts(program[at], state)}
        if not following:
            return Deviation(position, _described(program, reached))
        reached = _reached(program, following)
    return None if len(program) in reached else Deviation(len(history), _described(program, reached))


def described(entry: Entry) -> str:
    """An entry as text."""
    if isinstance(entry, EllipsisType):
        return "..."
    if isinstance(entry, AbstractSet):
        return " or ".join(sorted(entry))
    return str(entry.value) if isinstance(entry, StateType) else str(entry)


class _Fork(NamedTuple):
    """Matching goes on at each of these, counted from here."""

    offsets: tuple[int, ...]


_Step: TypeAlias = "str | AbstractSet[str | StateType] | EllipsisType | _Fork"


def _program(pattern: Iterable[Entry]) -> Iterable[_Step]:
    for entry in pattern:
        if isinstance(entry, EllipsisType):
            yield from (_Fork((1, 3)), entry, _Fork((-2,)))
        elif not isinstance(entry, Repeated):
            yield entry
        else:
            once = list(_program(entry.entries))
            size = len(once)
            for _ in range(entry.at_least):
                yield from once
            if entry.at_most is None:
                yield from (_Fork((1, size + 2)), *once, _Fork((-size - 1,)))
            else:
                for left in range(entry.at_most - entry.at_least, 0, -1):
                    yield from (_Fork((1, left * (size + 1))), *once)


def _reached(program: list[_Step], positions: set[int]) -> set[int]:
    """The steps at which matching may stand, forks followed."""
    reached: set[int] = set()
    waiting = list(positions)
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            step = program[at] if at < len(program) else None
            if isinstance(step, _Fork):
                waiting.extend(at + offset for offset in step.offsets)
    return reached


def _accepts(step: _Step, state: State) -> bool:
    if isinstance(step, _Fork):
        return False
    if isinstance(step, EllipsisType):
        return True
    return not {state.name, state.type}.isdisjoint({step} if isinstance(step, str) else step)


def _described(program: list[_Step], reached: set[int]) -> list[str]:
    steps = [program[at] for at in sorted(reached) if at < len(program)]
    texts = [described(step) for step in steps if not isinstance(step, _Fork)]
    return [*dict.fromkeys(texts), *(["the end"] if len(program) in reached else [])]
