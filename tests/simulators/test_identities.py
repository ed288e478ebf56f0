from uuid import UUID

import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.history import MemoryHistoryStore
from simulators import Schedule, replay
from simulators.identities import SeededIdentities


def ids_of(identities: SeededIdentities) -> list[UUID]:
    """One run of a flow with a task and a subflow."""
    identities.begin()
    outer = identities.flow_run_id(None, "outer", 0)
    return [outer, identities.task_run_id(outer, "add-0"), identities.flow_run_id(outer, "inner", 0)]


def test_the_same_seed_gives_the_same_ids_in_every_run():
    identities = SeededIdentities(7)

    assert ids_of(identities) == ids_of(identities) == ids_of(SeededIdentities(7))


def test_other_seeds_and_other_paths_give_other_ids():
    ids = [*ids_of(SeededIdentities(7)), *ids_of(SeededIdentities(8))]

    assert len(set(ids)) == len(ids)
    assert {each.version for each in ids} == {4}


def test_outermost_runs_are_counted_for_each_flow():
    identities = SeededIdentities(0)

    first, second = (identities.flow_run_id(None, "outer", 0) for _ in range(2))

    assert first != second
    identities.begin()
    assert identities.flow_run_id(None, "outer", 0) == first


def test_where_histories_are_kept_no_id_comes_twice():
    kept: dict[str, int] = {}

    first = SeededIdentities(0, kept).flow_run_id(None, "outer", 0)
    second = SeededIdentities(0, kept).flow_run_id(None, "outer", 0)

    assert first != second


def test_runs_of_the_first_flow_bear_short_names_and_others_say_whose_they_are():
    @task
    def add() -> None: ...

    @flow
    def inner() -> None:
        add.submit()

    @flow
    def outer() -> None:
        add.submit()
        inner()

    def both() -> None:
        outer()
        inner()

    lanes = {step.run for step in replay(both, Schedule(points="operations")).steps}

    assert {"add-0", "inner-0/add-0"} <= lanes
    assert len([lane for lane in lanes if lane.endswith("add-0")]) == 3


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_fraction_of_an_attempt_follows_from_the_seed(attempt):
    run_id = UUID(int=5)

    fraction = SeededIdentities(3).fraction(run_id, attempt)

    assert 0 <= fraction < 1
    assert fraction == SeededIdentities(3).fraction(run_id, attempt)
    assert fraction != SeededIdentities(4).fraction(run_id, attempt)
    assert fraction != SeededIdentities(3).fraction(run_id, attempt + 1)


def test_the_name_of_a_flow_run_follows_from_its_id():
    store = MemoryHistoryStore()

    @flow
    def named() -> None: ...

    with environment(store=store):
        names = {replay(named, Schedule()).histories[0].flow_run.name for _ in range(2)}

    assert len(names) == 1
