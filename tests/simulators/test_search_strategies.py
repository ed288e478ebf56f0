"""Strategies that search, on programs that are words."""

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest

from simulators.exceptions import SimulatorError
from simulators.strategies import PCT, POS, Exhaustive, Operation, Portfolio, RandomWalk, Strategy
from tests.simulators.programs import Op, play


def all_of(strategy: Strategy, **programs: str) -> list[str]:
    orders: list[str] = []
    while strategy.begin():
        orders.append(play(strategy, **programs).order)
    return orders


def test_exhaustive_takes_every_interleaving_once_and_fifo_first():
    strategy = Exhaustive()

    orders = all_of(strategy, a="------", b="------")

    assert len(orders) == len(set(orders)) == 924  # 12! / (6! 6!)
    assert orders[0] == "aaaaaabbbbbb"
    assert strategy.exhausts


@pytest.mark.parametrize(("bound", "schedules"), [(0, 2), (1, 12), (2, 62)])
def test_a_bound_on_preemptions_counts_only_runs_that_were_made_to_wait(bound: int, schedules: int):
    strategy = Exhaustive(preemptions=bound)

    orders = all_of(strategy, a="------", b="------")

    assert len(orders) == len(set(orders)) == schedules
    assert max(_preemptions(order) for order in orders) == bound
    assert not strategy.exhausts


def test_a_bound_that_cuts_nothing_off_exhausts():
    strategy = Exhaustive(preemptions=4)

    assert len(all_of(strategy, a="--", b="--")) == 6
    assert strategy.exhausts


def test_a_bound_on_delays_counts_the_runs_that_were_passed_over():
    assert set(all_of(Exhaustive(delays=1), a="-", b="-", c="-")) == {"abc", "acb", "bac"}
    assert len(all_of(Exhaustive(delays=2), a="-", b="-", c="-")) == 5


def test_a_bound_on_deviations_counts_how_often_fifo_was_not_followed():
    assert all_of(Exhaustive(deviations=0), a="--", b="--") == ["aabb"]
    assert set(all_of(Exhaustive(deviations=1), a="-", b="-", c="-")) == {"abc", "acb", "bac", "cab"}


def test_exhaustive_notices_a_program_that_is_not_deterministic():
    strategy = Exhaustive()
    strategy.begin()
    play(strategy, a="--", b="--", c="-")
    strategy.begin()

    with pytest.raises(SimulatorError, match="not deterministic: at decision 0 there were 3 operations"):
        play(strategy, a="--", b="--")


def test_a_bound_below_zero_is_refused():
    with pytest.raises(ValueError, match="delays must be 0 or more"):
        Exhaustive(delays=-1)


def found(strategy: Strategy, schedules: int, bug: str, **programs: str) -> int:
    """How many of the schedules come in the order ``bug``, as far as its letters go."""
    hits = 0
    for _ in range(schedules):
        assert strategy.begin()
        hits += bug in play(strategy, **programs).order
    return hits


def test_pct_finds_a_deep_order_at_least_as_often_as_its_theorem_says():
    # b has to come between two operations of a, and a between two of b: depth 3 of 12 decisions
    schedules, runs, decisions = 9_000, 2, 12

    hits = found(PCT(seed=1, depth=3), schedules, "aabbbaaaabbb", a="------", b="------")

    assert hits / (schedules / 3) >= 1 / (runs * decisions**2)


def test_pct_learns_its_horizon_and_decides_alike_for_the_same_seed():
    programs = {"a": "-" * 30, "b": "-" * 30}

    orders = [found_orders(PCT(seed=5), 50, programs) for _ in range(2)]

    assert orders[0] == orders[1]
    switched_late = [
        order for order in orders[0] if _preemptions(order) and order[:10] in {"a" * 10, "b" * 10}
    ]
    assert switched_late


def test_pct_lets_nobody_lead_for_ever():
    strategy = PCT(seed=0, depth=1)
    strategy.begin()

    chosen = Counter(strategy.choose([Op("a", "1"), Op("b", "1")]).run for _ in range(1_000))

    assert min(chosen["a"], chosen["b"]) > 100


def test_pos_reorders_a_race_that_a_random_walk_hardly_ever_does():
    programs = {"a": "X", "b": "-----------X"}  # a's write is to come last

    walked = found(RandomWalk(1), 3_000, "b" * 12 + "a", **programs)
    drawn = found(POS(1), 3_000, "b" * 12 + "a", **programs)

    # a random walk has to choose b twelve times running; POS needs one low priority: 1/13 of all
    assert walked < 10
    assert drawn == pytest.approx(3_000 / 13, abs=4 * (3_000 / 13) ** 0.5)


def test_pos_draws_again_for_what_races_with_the_operation_that_was_done():
    orders = Counter(found_orders(POS(1), 4_000, {"a": "X", "b": "XX"}))

    # without drawing again, a would keep the low number that made it wait: 1/2, 1/6, 1/3
    for order, share in {"abb": 1 / 2, "bab": 1 / 4, "bba": 1 / 4}.items():
        assert orders[order] == pytest.approx(4_000 * share, abs=4 * (4_000 * share) ** 0.5)


def found_orders(strategy: Strategy, schedules: int, programs: dict[str, str]) -> list[str]:
    orders: list[str] = []
    for _ in range(schedules):
        assert strategy.begin()
        orders.append(play(strategy, **programs).order)
    return orders


class Idle(Strategy):
    """Always fifo."""

    name = "idle"

    def choose(self, pending: Sequence[Operation]) -> Operation:
        return pending[0]


def test_a_portfolio_begins_with_fifo():
    portfolio = Portfolio(seed=1)

    assert portfolio.begin()
    assert portfolio.current == "fifo"
    assert play(portfolio, a="XX", b="XX").order == "aabb"


def test_a_portfolio_prefers_the_strategy_that_shows_new_orders():
    portfolio = Portfolio(strategies=[Idle(), RandomWalk(1)])
    portfolio.begin()
    program = "XYZ" * 20
    play(portfolio, a=program, b=program, c=program)
    used: Counter[str] = Counter()

    for _ in range(60):
        portfolio.begin()
        used[portfolio.current] += 1
        play(portfolio, a=program, b=program, c=program)

    assert used["random"] > 3 * used["idle"] > 0


def test_a_portfolio_goes_on_without_a_strategy_that_has_ended():
    portfolio = Portfolio(strategies=[Exhaustive()])

    orders = all_of(portfolio, a="X", b="X")

    assert orders == ["ab", "ab", "ba"]  # fifo, and then all


def _preemptions(order: str) -> int:
    """How often a run was left that had not ended."""
    return sum(
        before != after and before in order[position + 1 :]
        for position, (before, after) in enumerate(itertools.pairwise(order))
    )
