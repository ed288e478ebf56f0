"""Recorded flow runs, replayed without calling their tasks."""

import asyncio
import logging
from functools import partial
from pathlib import Path

import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.exceptions import FailedRun
from runtime.history import FlowRunHistory, SQLiteHistoryStore, StateChange
from runtime.results import LocalResultStorage, result_storage
from runtime.states import Crashed, Failed
from runtime.task_runners import ConcurrentTaskRunner, DaskTaskRunner, SequentialTaskRunner
from simulators import RecordedStubs, Schedule, explore, replay
from simulators.drift import first_drift
from simulators.exceptions import NothingRecorded


def note(folder: Path, text: str) -> None:
    with (folder / "effects").open("a") as file:
        file.write(f"{text}\n")


class Unpaid(Exception):
    pass


@task(persist_result=True)
def fetch(folder: Path, n: int) -> int:
    note(folder, f"fetch {n}")
    return n * 10


@task(persist_result=True)
async def fetch_async(folder: Path, n: int) -> int:
    note(folder, f"fetch {n}")
    return n * 10


@task(persist_result=True, retries=1)
def flaky(folder: Path) -> str:
    note(folder, "flaky")
    if len((folder / "effects").read_text().split("flaky")) == 2:
        raise ConnectionError("the service is down")
    return "up"


@task(persist_result=True)
def load(folder: Path, rows: list[int]) -> None:
    note(folder, f"load {rows}")
    raise Unpaid(f"no table for {rows}:\n  none")


@flow
def night(folder: Path):
    rows = [fetch.submit(folder, n) for n in range(2)]
    rows.append(fetch_async.submit(folder, 2))
    up = flaky.submit(folder)
    state = load.submit(folder, rows, wait_for=[up]).wait()
    return f"{fetch(folder, 9)} {state.result(raise_on_failure=False)!r}"


class Night:
    """A flow run that was recorded, with all that is left of it."""

    def __init__(self, folder: Path, called, runner=None) -> None:
        self.folder = folder
        self.results = LocalResultStorage(folder / "results")
        store = SQLiteHistoryStore(folder / "history.db")
        chosen = called.with_options(task_runner=runner or SequentialTaskRunner())
        with environment(store=store), result_storage(self.results):
            self.state = chosen(folder, return_state=True)
        [run] = store.flow_runs()
        self.history: FlowRunHistory = store.history(run.id)
        self.log = store.log_lines(run.id)
        store.close()
        self.effects = self.effects_now()

    def stubs(self, **options) -> RecordedStubs:
        with result_storage(self.results):
            return RecordedStubs(self.history, self.log, **options)

    def effects_now(self) -> str:
        file = self.folder / "effects"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def recorded(tmp_path):
    return partial(Night, tmp_path)


def replayed(night: Night, called, stubs: RecordedStubs):
    schedule = Schedule.from_history(night.history, points="operations")
    return replay(partial(called, night.folder), schedule, stubs=stubs)


@pytest.mark.parametrize("runner", [SequentialTaskRunner(), ConcurrentTaskRunner(max_workers=3)])
def test_a_night_is_reproduced_and_no_task_is_called(recorded, runner):
    then = recorded(night, runner)
    stubs = then.stubs()

    execution = replayed(then, night, stubs)

    assert first_drift(then.history, execution.history) is None
    assert execution.result == then.state.result() == "90 Unpaid('no table for [0, 10, 20]:\\n  none')"
    assert then.effects_now() == then.effects
    assert set(stubs.stubbed) == {"fetch-0", "fetch-1", "fetch-2", "fetch_async-0", "flaky-0", "load-0"}
    assert not stubs.called


@pytest.mark.slow
def test_a_night_on_dask_is_reproduced_and_no_task_is_called(recorded, dask_cluster):
    then = recorded(night, DaskTaskRunner(cluster=dask_cluster))

    execution = replayed(then, night, then.stubs())

    assert first_drift(then.history, execution.history) is None
    assert execution.result == then.state.result()
    assert then.effects_now() == then.effects


def test_the_tasks_that_are_named_are_called(recorded):
    then = recorded(night)
    stubs = then.stubs(real=["lo*"])

    execution = replayed(then, night, stubs)

    assert first_drift(then.history, execution.history) is None
    assert then.effects_now() == f"{then.effects}load [0, 10, 20]\n"
    assert list(stubs.called) == ["load-0"]


def test_a_changed_flow_is_told_by_its_first_difference(recorded):
    then = recorded(night)

    @flow(name="night")
    def changed(folder: Path):
        fetch.submit(folder, 0)
        fetch.submit(folder, 1)
        flaky.submit(folder)

    drift = first_drift(then.history, replayed(then, changed, then.stubs()).history)

    assert str(drift).startswith("recorded: fetch_async-0 Running at ")
    assert "replayed: flaky-0 Running at " in str(drift)
    assert then.effects_now() == then.effects


def test_a_task_run_that_there_was_not_fails_and_is_not_called(recorded):
    @flow
    def several(folder: Path):
        return [fetch.submit(folder, n) for n in range(count[0])]

    count = [1]
    then = recorded(several)
    count[0] = 2
    stubs = then.stubs()

    execution = replayed(then, several, stubs)

    assert list(stubs.unknown) == ["fetch-1"]
    assert isinstance(execution.error, NothingRecorded)
    assert str(execution.error) == "There was no fetch-1 then, so nothing can stand in for it."
    assert then.effects_now() == then.effects


@task
def unkept(folder: Path, n: int) -> None:
    note(folder, f"unkept {n}")


@pytest.mark.parametrize("number", [0, 1], ids=["not kept", "other inputs"])
def test_a_result_that_is_not_there_is_named(recorded, number):
    given = [0]

    @flow
    def one(folder: Path):
        (unkept if number == 0 else fetch).submit(folder, given[0])

    then = recorded(one)
    given[0] = number
    stubs = then.stubs()

    replayed(then, one, stubs)

    assert stubs.missing == ({"unkept-0": "unkept"} if number == 0 else {"fetch-0": "fetch"})
    assert then.effects_now() == then.effects


def test_a_result_that_others_wrote_is_not_used(recorded):
    @flow
    def one(folder: Path):
        fetch.submit(folder, 0)

    then = recorded(one)
    (then.results.folder / ".key").write_bytes(b"another")
    stubs = then.stubs()

    replayed(then, one, stubs)

    assert list(stubs.missing) == ["fetch-0"]


def test_a_run_that_found_a_result_then_finds_it_again(recorded):
    @task(cache_key_fn=lambda context, parameters: f"day {parameters['day']}")
    def price(folder: Path, day: int) -> int:
        note(folder, f"price {day}")
        return day * 2

    @task(persist_result=True)
    def use(folder: Path, found: int) -> int:
        return found

    @flow
    def prices(folder: Path):
        return use.submit(folder, price.submit(folder, 4)).result()

    then = recorded(prices)
    (then.folder / "history.db").unlink()
    then = recorded(prices)
    assert then.history["price-0"].names == ["Pending", "Cached"]

    execution = replayed(then, prices, then.stubs())

    assert first_drift(then.history, execution.history) is None
    assert execution.result == 8
    assert then.effects_now() == then.effects


def test_what_timed_out_times_out_again(recorded):
    release = asyncio.Event()

    @task(timeout_seconds=0.05, retries=1)
    async def slow(folder: Path):
        note(folder, "slow")
        await release.wait()

    @flow
    def late(folder: Path):
        slow.submit(folder).wait()

    then = recorded(late, ConcurrentTaskRunner())
    execution = replayed(then, late, then.stubs())

    assert then.history["slow-0"].names[-1] == "TimedOut"
    assert first_drift(then.history, execution.history) is None
    assert then.effects_now() == then.effects


def test_a_crash_and_a_failed_state_are_given_again(recorded):
    @task(retries=1)
    def leaves(folder: Path):
        note(folder, "leaves")
        raise SystemExit(3)

    @task
    def refuses(folder: Path):
        note(folder, "refuses")
        return Failed("not today")

    @flow
    def both(folder: Path):
        leaves.submit(folder)
        refuses.submit(folder)

    then = recorded(both)
    execution = replayed(then, both, then.stubs())

    assert first_drift(then.history, execution.history) is None
    assert execution.history["leaves-0"][-1].state.message == then.history["leaves-0"][-1].state.message
    assert execution.history["refuses-0"][-1].state.message == "not today"
    assert then.effects_now() == then.effects


def killed_after(history: FlowRunHistory, run: str, state: str) -> FlowRunHistory:
    """What `flows recover` leaves where the process is killed as soon as that run is in that state."""
    changes = list(history)
    cut = next(c.index for c in changes if c.run.short_name == run and c.state.name == state) + 1
    latest = {change.run.id: change for change in changes[:cut]}
    lost = [change for change in latest.values() if not change.state.is_final()]
    lost.sort(key=lambda change: change.run.id == history.flow_run.id)
    gone = Crashed("Execution was lost: its process is gone.")
    crashes = [
        StateChange(c.run, cut + n, gone, c.at, changes[cut].elapsed, c.attempt) for n, c in enumerate(lost)
    ]
    return FlowRunHistory(history.flow_run, [*changes[:cut], *crashes])


@pytest.mark.parametrize("state", ["Running", "AwaitingRetry", "Retrying"])
def test_what_was_under_way_when_its_process_was_killed_is_lost_again(recorded, state):
    then = recorded(night, ConcurrentTaskRunner(max_workers=1))
    then.history = killed_after(then.history, "flaky-0", state)

    execution = replayed(then, night, then.stubs())

    assert first_drift(then.history, execution.history) is None
    assert then.effects_now() == then.effects


def test_a_search_gives_the_same_results(recorded):
    then = recorded(night)

    found = explore(
        partial(night, then.folder), near=then.history, points="operations", stubs=then.stubs(), schedules=20
    )

    assert not found.failures
    assert then.effects_now() == then.effects


@pytest.mark.parametrize(
    ("logged", "error"),
    [
        ("ValueError: no\n  table", ValueError("no\n  table")),
        ("ValueError", ValueError()),
        (f"{__name__}.Unpaid: 3", Unpaid("3")),
        ("UnicodeDecodeError: bad", FailedRun("UnicodeDecodeError: bad")),
        ("SystemExit: 3", FailedRun("SystemExit: 3")),
        ("nobody.knows.Error: 3", FailedRun("nobody.knows.Error: 3")),
    ],
)
def test_an_exception_is_made_of_its_traceback(recorded, logged, error):
    @flow
    def one(folder: Path):
        return repr(fetch_or_fail.submit(folder).wait().result(raise_on_failure=False))

    @task
    def fetch_or_fail(folder: Path):
        raise ValueError("as it was")

    then = recorded(one)
    then.log = [
        type(line)(
            line.number,
            line.run_id,
            line.at,
            line.level,
            f'Traceback (most recent call last):\n  File "a.py", line 1, in a\n    a()\n{logged}',
        )
        for line in then.log
        if line.level == logging.ERROR
    ]

    assert replayed(then, one, then.stubs()).result == repr(error)


def test_without_a_log_a_failure_is_a_failure(recorded):
    @flow
    def one(folder: Path):
        load.submit(folder, [])

    then = recorded(one)
    then.log = []

    error = replayed(then, one, then.stubs()).error

    assert isinstance(error, FailedRun)
    assert str(error) == "What it failed of was not recorded: its log is not there."
