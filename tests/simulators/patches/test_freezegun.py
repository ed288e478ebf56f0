"""freezegun and a simulation, each around the other."""

import datetime
import time
from datetime import date
from datetime import datetime as imported_by_name
from functools import partial

import freezegun
import pytest

from runtime import flow, task
from simulators import Schedule, replay

# A cluster that other tests share may be in this process; its loops would wait until a frozen moment.
freeze_time = partial(freezegun.freeze_time, ignore=["asyncio", "dask", "distributed", "ray", "tornado"])

VIRTUAL = "2024-01-01 13:00:00"
FROZEN = "2020-02-02 10:00:00"


@task
def what_time_it_is() -> tuple[str, str, str, float]:
    time.sleep(3600)
    return (
        str(datetime.datetime.now()),
        str(imported_by_name.now()),
        str(date.today()),
        time.time(),
    )


@flow
def ask() -> tuple[str, str, str, float]:
    return what_time_it_is.submit().result()


def simulated(test):
    execution = replay(test, Schedule(points="operations"))
    assert execution.error is None
    return execution.result


def test_a_freeze_in_a_simulated_run_holds_however_the_class_was_imported():
    @freeze_time(FROZEN)
    def frozen():
        return ask()

    assert simulated(frozen) == (FROZEN, FROZEN, "2020-02-02", 1580637600.0)


def test_a_freeze_in_a_simulated_run_ticks():
    def ticks() -> tuple[str, str]:
        with freeze_time(FROZEN) as freezer:
            freezer.tick(60)
            return str(datetime.datetime.now()), str(imported_by_name.now())

    assert simulated(ticks) == ("2020-02-02 10:01:00",) * 2


def test_after_a_freeze_time_is_virtual_again():
    def thaws():
        with freeze_time(FROZEN):
            pass
        return ask()

    assert simulated(thaws)[:2] == (VIRTUAL, VIRTUAL)


def test_a_freeze_around_an_exploration_is_set_aside_and_comes_back():
    with freeze_time(FROZEN):
        seen = simulated(ask)
        after = str(imported_by_name.now()), str(datetime.datetime.now()), time.time()

    assert seen[:2] == (VIRTUAL, VIRTUAL)
    assert after == (FROZEN, FROZEN, 1580637600.0)
    assert imported_by_name.now().year > 2024


@pytest.mark.parametrize("frozen_before", [False, True])
def test_a_freeze_after_an_exploration_holds_as_if_there_had_been_none(frozen_before):
    if frozen_before:
        with freeze_time(FROZEN):
            pass
    simulated(lambda: freeze_time("2000-01-01")(ask)())

    with freeze_time(FROZEN):
        assert str(imported_by_name.now()) == str(datetime.datetime.now()) == FROZEN
