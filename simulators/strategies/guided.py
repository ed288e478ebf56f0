"""Guided: what led to something new is tried again, with one more order asked for."""

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import dropwhile
from typing import NamedTuple

from simulators.strategies.base import Operation, Step, Strategy, Trace
from simulators.strategies.orders import known_or_kind, orders
from simulators.strategies.pos import POS

#: orders that are remembered, and plans: a search that runs for days must not fill the memory
MOST_SEEN = 50_000
MOST_KEPT = 1_000
#: orders that a plan asks for, and schedules that one plan gets at a time
_MOST_ORDERS = 6
_MOST_ENERGY = 16


class Guided(Strategy):
    """Asks for orders of dependent operations, and keeps what showed one that none before it showed.

    The way is that of *Wolff, Shi, Duck, Mathur and Roychoudhury, Greybox Fuzzing for Concurrency Testing,
    ASPLOS 2024*. A plan is a few orders: that one place in the code comes right after another, as far as what
    both touch goes, or before all others. Until an order of the plan was had once, the second of its places
    waits for the first, and then whatever would come between the two waits for the second; where nobody else
    can go on, those who wait do. Priorities decide the rest (see ``POS``). A schedule that shows a new order
    is kept with its plan, and another plan is made of one that was kept: with one order more, one less, or
    another one. Plans whose news are rare get more schedules (*Böhme, Pham and Roychoudhury, CCS 2016*).

    We differ in three things. Writes have orders too, not only what is read. A place is a line of code, or a
    point of runs of one name, and what nobody knows to touch anything touches what all of its kind touch: so
    statements, waits for locks and beginnings of runs have orders at every level of detail. And a plan that
    is kept asks for the news that it was kept for.
    """

    name = "guided"

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same sequence every time is the point
        self._pos = POS(seed)
        self._kept = [_Kept((), None)]
        #: whose turn it is, and how many schedules it has left
        self._turn = 0
        self._energy = 1
        #: in how many schedules each order was seen
        self._seen: Counter[_Order] = Counter()
        #: for each place that concerns others, all places that touch what it touches
        self._related: dict[_Place, dict[_Place, None]] = {}

    def begin(self) -> bool:
        """Make a plan."""
        if not self._energy:
            self._turn = (self._turn + 1) % len(self._kept)
            self._energy = self._kept[self._turn].energy(self._seen)
        self._energy -= 1
        self._plan = self._changed(self._kept[self._turn].plan)
        #: orders that were not had yet
        self._wanted = list(self._plan)
        #: for each thing the place that touched it last, and that changed it last
        self._touched: dict[Hashable, _Place] = {}
        self._written: dict[Hashable, _Place] = {}
        self._places: dict[tuple[str, str, str], _Place] = {}
        #: the first that was chosen: what came before that comes before it in every schedule
        self._first: tuple[str, str] | None = None
        return self._pos.begin()

    def choose(self, pending: Sequence[Operation]) -> Operation:
        """What the plan asks for; else one of those who need not wait, by their priorities."""
        chosen = self._pos.choose(self._allowed(pending) if self._wanted else pending)
        place = self._place(chosen)
        if self._first is None:
            self._first = chosen.run, chosen.point
        resource, _ = known_or_kind(chosen)
        order = self._before(place, resource), place
        if order in self._wanted:
            self._wanted.remove(order)
        self._touched[resource] = place
        if place.writes:
            self._written[resource] = place
        return chosen

    def end(self, trace: Trace) -> None:
        """Keep the plan where there was anything new."""
        found = dict.fromkeys(self._found(trace.steps))
        news = next((order for order in found if order not in self._seen), None)
        for order in found:
            if order in self._seen or len(self._seen) < MOST_SEEN:
                self._seen[order] += 1
        if news is not None and len(self._kept) < MOST_KEPT:
            self._kept.append(_Kept(self._plan, news))

    def _found(self, steps: Sequence[Step]) -> "list[_Order]":
        """The orders of one schedule, as far as the places concern others."""
        found: list[_Order] = []
        since = list(dropwhile(lambda step: (step.run, step.point) != self._first, steps))
        for before, step in orders(since, known_or_kind):
            place = self._place(step)
            last = self._place(before[-1]) if before else None
            if last is not None and before[-1].run != step.run:
                self._relate(last, place)
            if place in self._related:
                found.append((last, place))
        return found

    def _relate(self, one: "_Place", other: "_Place") -> None:
        group = self._related.setdefault(one, {one: None})
        joining = self._related.setdefault(other, {other: None})
        if joining is not group:
            group |= joining
            self._related.update(dict.fromkeys(joining, group))

    def _changed(self, plan: "_Plan") -> "_Plan":
        """A plan that differs from this one in one order."""
        if not self._related:
            return ()
        number = len(plan)
        drawn = self._random.random()
        if not plan or (drawn < 0.6 and number < _MOST_ORDERS):
            return *plan, self._drawn()
        index = self._random.randrange(number)
        instead = (self._drawn(),) if drawn < 0.8 else ()
        return *plan[:index], *instead, *plan[index + 1 :]

    def _drawn(self) -> "_Order":
        """An order that was seen, or one that could be."""
        if self._random.random() < 0.5:
            return self._random.choice(list(self._seen))
        place = self._random.choice(list(self._related))
        return self._random.choice([None, *self._related[place]]), place

    def _allowed(self, pending: Sequence[Operation]) -> Sequence[Operation]:
        """What is to come now; or else who need not wait; or else all."""
        due: list[Operation] = []
        free: list[Operation] = []
        for operation in pending:
            place = self._place(operation)
            resource, _ = known_or_kind(operation)
            if self._waits(place, resource):
                continue
            free.append(operation)
            if any(place == after for _, after in self._wanted):
                due.append(operation)
        return due or free or pending

    def _waits(self, place: "_Place", resource: Hashable) -> bool:
        for before, after in self._wanted:
            comes_now = self._before(after, resource) == before
            if place == after:
                if not comes_now:
                    return True
            elif comes_now and (place.writes or after.writes) and place in self._related[after]:
                return True
        return False

    def _before(self, place: "_Place", resource: Hashable) -> "_Place | None":
        """What a place would come after if it came now."""
        return (self._touched if place.writes else self._written).get(resource)

    def _place(self, step: Operation | Step) -> "_Place":
        name = step.run, step.point, step.kind
        place = self._places.get(name)
        if place is None:
            line, dot, _ = step.point.rpartition(".")
            where = line if dot else f"{step.run.rstrip('0123456789')}@{step.point}"
            place = self._places[name] = _Place(where, step.kind, known_or_kind(step)[1])
        return place


class _Place(NamedTuple):
    """Where operations are alike, whoever does them."""

    #: a source line; or the name of the run without its number, and how manieth of its points it is
    where: str
    kind: str
    writes: bool


#: what comes right after what; None: after nothing
_Order = tuple[_Place | None, _Place]
_Plan = tuple[_Order, ...]


class _Kept:
    """A plan that led to something new."""

    def __init__(self, plan: _Plan, news: _Order | None) -> None:
        self.plan = plan
        self._news = news
        self._chosen = 0

    def energy(self, seen: Counter[_Order]) -> int:
        """How many schedules it gets: more each time, fewer the more often its news were seen."""
        self._chosen += 1
        often = 1 if self._news is None else seen[self._news]
        return max(1, min(_MOST_ENERGY, 2 ** min(self._chosen, 16) // often))
