"""The guided strategy, on programs that are words and on the hard ones of SCTBench."""

from collections.abc import Callable
from functools import partial
from statistics import median

import pytest

from simulators import Points, explore
from simulators.strategies import PCT, POS, Guided, Strategy
from tests.simulators.contests import reorder, twostage
from tests.simulators.programs import Played, play

#: schedules after which a search for an order is given up
ENOUGH = 400


def set_and_check(strategy: Strategy, setters: int) -> Played:
    """Each of many sets ``a`` and then ``b``, and one looks at both, with much else to do in between."""
    return play(strategy, **{f"set-{n}": "AB" for n in range(setters)}, **{"check-0": "a--------b"})


def between_all(played: Played) -> bool:
    """Whether the one who looks came after the first ``A`` and before the first ``B``."""
    touched = [(step.resource, step.writes) for step in played.steps]
    first_a, first_b = touched.index(("a", True)), touched.index(("b", True))
    return first_a < touched.index(("a", False)) and touched.index(("b", False)) < first_b


def tried(strategy: Strategy, setters: int) -> int:
    """How many schedules it takes to come between all of them."""
    for number in range(1, ENOUGH):
        assert strategy.begin()
        if between_all(set_and_check(strategy, setters)):
            return number
    return ENOUGH


@pytest.mark.slow
def test_guided_needs_far_fewer_schedules_than_pct_and_pos():
    guided = [tried(Guided(seed), 20) for seed in range(15)]
    others = [median(tried(strategy(seed), 20) for seed in range(3)) for strategy in (PCT, POS)]

    assert max(guided) <= 32
    assert min(others) >= 30 * median(guided)


def test_more_setters_do_not_make_it_harder():
    assert median(tried(Guided(seed), 60) for seed in range(7)) <= 10


def test_guided_decides_alike_for_the_same_seed():
    def orders(seed: int) -> list[str]:
        strategy = Guided(seed)
        made: list[str] = []
        for _ in range(30):
            strategy.begin()
            made.append(set_and_check(strategy, 3).order)
        return made

    assert orders(4) == orders(4)
    assert orders(4) != orders(5)


def test_who_waits_goes_on_where_nobody_else_can():
    strategy = Guided(1)

    for _ in range(200):  # plans that no schedule can keep are among them
        strategy.begin()
        assert sorted(play(strategy, a="XY", b="yx", c="xY").order) == list("aabbcc")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "points", "within"),
    [
        (reorder(10), "accesses", 60),
        (reorder(10), "statements", 90),
        (twostage(10), "accesses", 120),
        (twostage(10), "statements", 120),
    ],
)
def test_the_hard_programs_of_sctbench_are_found_at_each_level(
    program: Callable[[], None], points: Points, within: int
):
    search = partial(explore, program, strategy="guided", points=points, schedules=within)

    found = [len(search(seed=seed).failures) for seed in range(3)]

    assert found == [1, 1, 1]
