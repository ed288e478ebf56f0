"""Data races, as users read of them: what two runs touched, where, and that nothing orders it."""

import inspect
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import CellType, FrameType
from typing import cast

from simulators.marks import Globals
from simulators.partial_order import ANYTHING, Racing
from simulators.places import is_passed_over
from simulators.turns import Turn

#: Lines of a stack, outermost first: ``orders.py:12 in buy``.
Stack = Sequence[str]
#: What the scheduler knows of a race: the thing, the key in it, and the two accesses.
Found = tuple[Hashable, Hashable, Racing, Racing]
_CONTAINERS = (list, dict, set, deque, bytearray)
_SHOWN = (str, bytes, int, float, bool, type(None))


@dataclass(frozen=True)
class RacingAccess:
    """One of the two accesses of a data race."""

    #: who: ``buy-0``
    run: str
    #: the name of the point that it stands at
    point: str
    writes: bool
    file: str
    line: int
    function: str
    #: from the first call to the access
    stack: Stack = ()

    @property
    def place(self) -> str:
        """``file:line``, the file as its last part."""
        return f"{Path(self.file).name}:{self.line}"

    def __str__(self) -> str:
        return f"{self.run} {'writes' if self.writes else 'reads'} it at {self.place} in {self.function}"


@dataclass(frozen=True)
class DataRace:
    """Two accesses to one thing, one of them a write, that no synchronisation orders.

    No lock, no start, no end of anything says which of the two comes first.
    """

    #: what was touched: ``Account.balance``
    thing: str
    first: RacingAccess
    second: RacingAccess

    @cached_property
    def places(self) -> frozenset[tuple[str, int, bool]]:
        """Equal for what is the same race, whoever came first."""
        return frozenset((access.file, access.line, access.writes) for access in (self.first, self.second))

    def with_stacks(self, stacks: Mapping[tuple[str, str], Stack]) -> "DataRace":
        """The same race, with the stacks that belong to its points."""
        first, second = (
            replace(access, stack=stacks.get((access.run, access.point), ()))
            for access in (self.first, self.second)
        )
        return DataRace(self.thing, first, second)

    def __str__(self) -> str:
        lines = [f"Data race on {self.thing}: nothing orders these two"]
        for access in (self.first, self.second):
            lines += [f"  {access}", *(f"    {line}" for line in access.stack)]
        return "\n".join(lines)


def data_race(found: Found) -> DataRace:
    """A race in words."""
    thing, key, one, other = found
    return DataRace(_described(thing, key), _access(one), _access(other))


def stacks_kept(
    stacks: dict[tuple[str, str], Stack], place_of: Callable[[Turn], str]
) -> Callable[[Turn], str]:
    """``place_of``, which also keeps the stack of each point that it is asked about."""

    def place_and_stack(turn: Turn) -> str:
        stacks[turn.run, turn.point] = _stack(inspect.currentframe())
        return place_of(turn)

    return place_and_stack


def _stack(frame: FrameType | None) -> Stack:
    lines: list[str] = []
    while frame is not None:
        code = frame.f_code
        if not is_passed_over(code.co_filename):
            lines.append(f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(lines))


def _access(racing: Racing) -> RacingAccess:
    where = racing.where
    return RacingAccess(racing.run, str(racing.point), racing.writes, where.file, where.line, where.function)


def _described(thing: object, key: Hashable) -> str:
    if isinstance(thing, tuple):  # declared
        return str(cast("tuple[object, ...]", thing)[1])
    if isinstance(thing, Globals):
        return f"the global {key}"
    if isinstance(thing, CellType):
        return f"the variable {key}"
    kind = thing.__qualname__ if isinstance(thing, type) else type(thing).__qualname__
    if key is ANYTHING:
        return f"a {kind}"
    if isinstance(thing, _CONTAINERS):
        return f"{kind}[{key!r}]" if isinstance(key, _SHOWN) else f"an item of a {kind}"
    return f"{kind}.{key}"
