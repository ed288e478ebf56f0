"""Runs that were recorded elsewhere, replayed in the simulator, and searched around."""

import time
from functools import partial

import anyio
import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.history import FlowRunHistory, MemoryHistoryStore, SQLiteHistoryStore
from runtime.hooks import plugins
from runtime.task_runners import ConcurrentTaskRunner, DaskTaskRunner
from simulators import Schedule, SimulatedTaskRunner, checkpoint, explore, replay
from simulators.conditions import Conditions
from simulators.exceptions import ScheduleError, SimulatorError
from simulators.strategies import RandomWalk
from simulators.timelines import RecordedAttempt, Timeline
from tests.simulators.settlement import DEPOSITS, WITHDRAWALS, Driver, settle


def recorded(test, runner, store=None) -> FlowRunHistory:
    store = store or MemoryHistoryStore()
    with environment(store=store):
        test.with_options(task_runner=runner)(return_state=True)
    return store.history(store.flow_runs()[-1].id)


def night_of(folder, runner) -> FlowRunHistory:
    """The history of a night on which the bank was slow. When it is over, it is quick again."""
    (folder / "slow").touch()
    store, driver = SQLiteHistoryStore(folder / "history.db"), Driver(folder)
    plugins().register(driver)
    try:
        with environment(store=store):
            assert settle.with_options(task_runner=runner)(folder, return_state=True).is_failed()
    finally:
        plugins().unregister(driver)
    (folder / "slow").unlink()
    history = store.history(store.flow_runs()[-1].id)
    store.close()
    return history


def order_of(history: FlowRunHistory) -> list[str]:
    """Who began and who ended, in order."""
    return [
        f"{history.path(change.run)} {change.attempt} {'began' if change.state.is_running() else 'ended'}"
        for change in history
        if change.run.id != history.flow_run.id and change.attempt
    ]


def moments_of(history: FlowRunHistory) -> list[float]:
    return [change.elapsed for change in history if change.run.id != history.flow_run.id and change.attempt]


@pytest.mark.slow
def test_a_race_on_threads_is_found_near_its_history(tmp_path):
    night = night_of(tmp_path, ConcurrentTaskRunner(max_workers=DEPOSITS + len(WITHDRAWALS)))
    test = partial(settle, tmp_path)

    near = explore(test, near=night)

    assert near.executions <= 300  # 28 on average over 20 seeds
    assert str(near.failures[0].error) == "overdrawn: -30"
    assert str(replay(test, str(near.failures[0].schedule)).error) == "overdrawn: -30"


@pytest.mark.slow
def test_a_race_on_dask_is_found_near_its_history(tmp_path, dask_cluster_factory):
    cluster = dask_cluster_factory(n_workers=2, threads_per_worker=4)
    night = night_of(tmp_path, DaskTaskRunner(cluster=cluster))

    near = explore(partial(settle, tmp_path), near=night)

    assert str(near.failures[0].error) == "overdrawn: -30"


@task
def fetch(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
async def fetch_async(seconds: float) -> float:
    await anyio.sleep(seconds)
    return seconds


@pytest.mark.parametrize("fetches", [fetch, fetch_async], ids=["sync", "async"])
def test_attempts_begin_and_end_when_they_did(fetches):
    pauses = {"night": [0.3, 0.1, 0.2], "desk": [0.0, 0.0, 0.0]}
    when = "night"

    @flow
    def several():
        return [fetches.submit(seconds) for seconds in pauses[when]]

    night = recorded(several, SimulatedTaskRunner(strategy="random", seed=3))
    when = "desk"
    desk = replay(several, Schedule.from_history(night)).history

    assert order_of(desk) == order_of(night)
    assert moments_of(desk) == pytest.approx(moments_of(night), abs=1e-3)


def test_whatever_is_chosen_the_recorded_order_stands():
    @flow
    def several():
        return [fetch.submit(seconds) for seconds in (0.3, 0.1, 0.2)]

    night = recorded(several, SimulatedTaskRunner())
    walk = RandomWalk(seed=0)
    walk.timeline = Timeline.of(night)

    with Conditions().executor(several) as executor:
        executions = [executor.run(walk) for _ in range(50) if walk.begin()]

    assert {tuple(order_of(execution.history)) for execution in executions} == {tuple(order_of(night))}
    assert len({execution.schedule.digest for execution in executions}) > 10


def test_a_lost_worker_is_lost_again_and_its_task_is_made_anew():
    made = []

    @task(retries=1)
    def once_more():
        made.append(1)

    @flow
    def several():
        once_more.submit()

    timeline = Timeline(
        (
            RecordedAttempt("once_more-0", 1, 1, 1.0, 2.0, "Execution was lost: worker A is gone."),
            RecordedAttempt("once_more-0", 1, 2, 3.0, 4.0),
        )
    )

    history = replay(several, Schedule(timeline=timeline)).history

    assert history["once_more-0"].names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert [change.elapsed for change in history["once_more-0"]][1:] == pytest.approx([1, 2, 3, 4], abs=1e-4)
    assert len(made) == 2


def test_what_was_recorded_is_part_of_token_and_file():
    timeline = Timeline(
        (RecordedAttempt("a-0", 1, 1, 0.5, 1.5), RecordedAttempt("b-0", 1, 1, 1.0, None, "gone"))
    )
    schedule = Schedule(seed=3, points="operations", timeline=timeline)

    assert Schedule.parse(str(schedule)) == schedule
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert schedule != Schedule(seed=3, points="operations")
    assert schedule.digest != Schedule(seed=3, points="operations").digest


@pytest.mark.parametrize(
    "attempt",
    [
        [],
        ["a-0", 1, 1, 0.5],
        ["", 1, 1, 0.5, 1.0],
        ["a-0", 0, 1, 0.5, 1.0],
        ["a-0", True, 1, 0.5, 1.0],
        ["a-0", 1, 1, -0.5, 1.0],
        ["a-0", 1, 1, float("inf"), 1.0],
        ["a-0", 1, 1, 0.5, "late"],
        ["a-0", 1, 1, 0.5, 1.0, 3],
        "a-0",
    ],
)
def test_what_is_no_recorded_attempt_is_refused(attempt):
    with pytest.raises(ScheduleError):
        Timeline.from_outline([attempt])


def test_a_search_near_a_schedule_begins_with_that_schedule():
    failing = explore(lost_update, strategy="random", points="operations").failures[0].shrunk

    exploration = explore(lost_update, near=failing)

    assert exploration.executions == 1
    assert exploration.points == "operations"


def test_a_search_near_a_schedule_goes_on_with_the_strategy():
    exploration = explore(lambda: None, near=Schedule(), strategy="random", schedules=310)

    assert exploration.executions == 310


def test_a_search_of_everything_has_no_neighbourhood():
    with pytest.raises(SimulatorError, match="near= goes with strategies that sample"):
        explore(lambda: None, near=Schedule(), strategy="dpor")


def lost_update():
    account = {"balance": 0}

    @task
    def deposit():
        before = account["balance"]
        checkpoint()
        account["balance"] = before + 1

    @flow
    def deposits():
        for future in [deposit.submit(), deposit.submit()]:
            future.wait()

    deposits()
    assert account["balance"] == 2
