"""Flow runs that go on after they crashed or failed: what is made again, and what is not."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from runtime import flow, get_run_context, task
from runtime.context import environment
from runtime.exceptions import ResumeError
from runtime.history import FlowRunHistory, MemoryHistoryStore, SQLiteHistoryStore
from runtime.history.guarantees import violations
from runtime.results import LocalResultStorage, ResultError, StoredResult
from runtime.settings import temporary_settings
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

broken = True
calls: list[str] = []


@pytest.fixture(autouse=True)
def new_story():
    global broken
    broken = True
    calls.clear()


@task(persist_result=True)
def extract(n):
    calls.append(f"extract {n}")
    return {"n": n}


@task(persist_result=True)
def load(row, times=1):
    calls.append(f"load {row['n']}")
    if broken:
        raise ConnectionError("down")
    return row["n"] * times


@task
def forgetful(n):
    calls.append(f"forgetful {n}")
    return n


@flow
def part(n):
    return load.submit(extract.submit(n))


@flow
def etl(n, token="sesame"):
    rows = [extract.submit(i) for i in range(n)]
    forgetful.submit(1)
    loaded = [load.submit(row) for row in rows]
    part(7)
    return loaded


@pytest.fixture
def store(tmp_path):
    store = SQLiteHistoryStore(tmp_path / "history.db")
    with environment(store=store):
        yield store
    for run in store.flow_runs():
        assert violations(store.history(run.id)) == []
    store.close()


def repaired():
    global broken
    broken = False
    calls.clear()


def the_run(store):
    (run,) = store.flow_runs()
    return store.history(run.id)


@pytest.mark.parametrize(
    "runner", [SequentialTaskRunner(), ConcurrentTaskRunner()], ids=["sequential", "concurrent"]
)
def test_what_completed_and_was_kept_is_not_made_again(store, runner):
    flow = etl.with_options(task_runner=runner)
    flow(2, "x", return_state=True)
    repaired()

    state = flow.resume(the_run(store), {"token": "x"})

    assert state.is_completed()
    assert sorted(calls) == ["forgetful 1", "load 0", "load 1", "load 7"]
    history = the_run(store)
    assert history["extract-0"].names[-2:] == ["Pending", "Cached"]
    assert [change.run_count for change in history.states] == [1, 1, 1, 2, 2, 2]
    again = ["Pending", "Running", "Failed", "Pending", "Running", "Completed"]
    assert history["part-0/load-0"].names == again


def test_results_are_what_they_were(store):
    etl(1, return_state=True)
    repaired()

    state = etl.resume(the_run(store), {"token": "sesame"})

    assert [each.result() for each in state.data] == [0]


def test_an_async_flow_goes_on_too(store):
    @flow
    async def later(n):
        return load.submit(extract.submit(n))

    asyncio.run(later(3, return_state=True))
    repaired()

    assert asyncio.run(later.resume(the_run(store))).is_completed()
    assert calls == ["load 3"]


def test_it_may_be_resumed_until_it_completes(store):
    etl(1, return_state=True)
    for _ in range(2):
        assert etl.resume(the_run(store), {"token": ""}).is_failed()
    repaired()

    assert etl.resume(the_run(store), {"token": ""}).is_completed()
    assert the_run(store).states[-1].run_count == 4


def test_other_inputs_make_a_task_run_anew(store):
    @flow
    def shifting(n):
        return load.submit(extract.submit(n))

    shifting(1, return_state=True)
    repaired()

    assert shifting.resume(the_run(store), {"n": 2}).is_completed()
    assert calls == ["extract 2", "load 2"]


def test_the_id_of_a_task_run_stays_and_can_serve_as_an_idempotency_key(store):
    keys = []

    @task
    def pay():
        keys.append(get_run_context().task_run.id)
        if len(keys) == 1:
            raise ConnectionError("nobody knows whether it was paid")

    @flow
    def paying():
        pay.submit()

    paying(return_state=True)
    paying.resume(the_run(store))

    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_all_results_are_kept_where_the_setting_says_so(store):
    @flow
    def twice():
        forgetful.submit(5)
        load.submit({"n": 1})

    with temporary_settings(persist_results=True):
        twice(return_state=True)
        repaired()
        assert twice.resume(the_run(store)).is_completed()

    assert calls == ["load 1"]


@flow(persist_result=True)
def counted(n):
    calls.append(f"counted {n}")
    return [extract(n)["n"]]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_subflow_that_completed_and_was_kept_is_not_called_again(store, asynchronous):
    @flow
    def outer():
        return load(extract(counted(3)[0]))

    @flow
    async def outer_async():
        return load(extract(counted(3)[0]))

    if asynchronous:
        asyncio.run(outer_async(return_state=True))
    else:
        outer(return_state=True)
    repaired()
    history = the_run(store)

    resumed = asyncio.run(outer_async.resume(history)) if asynchronous else outer.resume(history)

    assert resumed.result() == 3
    assert calls == ["load 3"]
    again = the_run(store)["counted-0"]
    assert again.names == ["Pending", "Running", "Completed", "Pending", "Running", "Cached"]


@pytest.mark.parametrize("change", ["parameters", "failed", "not asked for"])
def test_a_subflow_is_called_again_where(store, change):
    given = [1]

    @flow(persist_result=change != "not asked for")
    def part(n):
        calls.append(f"part {n}")
        if change == "failed" and broken:
            raise ConnectionError("down")

    @flow
    def outer():
        part(given[0], return_state=True)
        load({"n": 9})

    outer(return_state=True)
    repaired()
    if change == "parameters":
        given[0] = 2

    assert outer.resume(the_run(store)).is_completed()
    assert calls == [f"part {given[0]}", "load 9"]


def test_a_flow_run_whose_end_alone_was_lost_is_not_called_again(store):
    @flow(persist_result=True)
    def ends():
        calls.append("called")
        return {"done": True}

    memory = MemoryHistoryStore()
    with environment(store=memory):
        state = ends(return_state=True)
    (run,) = memory.flow_runs()
    text = memory.history(run.id).to_json()
    lost = text.replace('"Completed"', '"Crashed"').replace('"COMPLETED"', '"CRASHED"')

    with environment(store=memory):
        again = ends.resume(FlowRunHistory.from_json(lost))

    assert (again.name, again.result()) == ("Cached", state.result())
    assert calls == ["called"]


def test_code_that_changed_is_an_error_that_names_both_sides(store):
    def versions():
        @flow
        def changing():
            load({"n": 1})

        yield changing

        @flow
        def changing():
            load({"n": 2})

        yield changing

    before, after = versions()
    before(return_state=True)
    repaired()
    history = the_run(store)

    with pytest.raises(ResumeError) as raised:
        after.resume(history)
    assert history.flow_run.code_hash[:12] in str(raised.value)
    assert after._definition.code_hash[:12] in str(raised.value)
    assert "test_resuming.py" in str(raised.value)
    assert after.resume(history, changed_code=True).is_completed()


def test_secrets_have_to_be_given_again(store):
    etl(1, return_state=True)

    with pytest.raises(ResumeError, match="does not hold its parameters token"):
        etl.resume(the_run(store))


def test_what_completed_is_not_resumed(store):
    repaired()
    etl(1)

    with pytest.raises(ResumeError, match="is Completed: there is nothing to resume"):
        etl.resume(the_run(store))


def test_a_run_of_another_flow_is_refused(store):
    etl(1, return_state=True)

    with pytest.raises(ResumeError, match="is a run of flow 'etl', not of 'part'"):
        part.resume(the_run(store))


def test_a_subflow_run_is_refused(store):
    etl(1, return_state=True)
    (child,) = the_run(store).subflow_runs

    with pytest.raises(ResumeError, match="resume the flow run around it"):
        part.resume(store.history(child.id))


def test_a_result_that_somebody_put_there_is_not_read(tmp_path, caplog):
    ours, theirs = LocalResultStorage(tmp_path / "ours"), LocalResultStorage(tmp_path / "theirs")
    ours.write("other", StoredResult(1))
    theirs.write("key", StoredResult("evil"))
    (file,) = theirs.folder.glob("*.result")
    file.rename(ours.folder / file.name)

    assert ours.read("key") is None
    assert "its signature is wrong" in caplog.text


def test_as_json_a_result_comes_back_as_it_was_or_is_refused(tmp_path, caplog):
    storage = LocalResultStorage(tmp_path / "results", "json")
    storage.write("key", StoredResult({"a": [1, None, "x"]}))

    assert storage.read("key").value == {"a": [1, None, "x"]}

    for value in ((1, 2), {1: 2}, {1}, object()):
        with pytest.raises(ResultError, match="cannot be kept"):
            storage.write("key", StoredResult(value))


def test_where_json_is_asked_for_no_pickle_is_read(tmp_path, caplog):
    LocalResultStorage(tmp_path / "results").write("key", StoredResult(1))

    assert LocalResultStorage(tmp_path / "results", "json").read("key") is None
    assert "only JSON is read here" in caplog.text


TWENTY = """
import os, signal, sys
from runtime import flow, task
from runtime.context import environment
from runtime.history import SQLiteHistoryStore
from runtime.hooks import hookimpl, plugins
from runtime.task_runners.names import make_task_runner

path, ledger, runner, index = sys.argv[1:]

@task(persist_result=True)
def step(n):
    with open(ledger, "a") as file:
        file.write(f"{n}\\n")
    return n

@flow
def twenty():
    return [step.submit(n) for n in range(20)]

class Killer:
    @hookimpl
    def flows_state_change(self, change):
        if change.index == int(index):
            os.kill(os.getpid(), signal.SIGKILL)

twenty = twenty.with_options(task_runner=make_task_runner(runner))
if __name__ == "__main__":
    store = SQLiteHistoryStore(path, durability="full")
    with environment(store=store):
        if int(index) >= 0:
            plugins().register(Killer())
            twenty()
        else:
            store.recover()
            (run,) = store.flow_runs()
            history = store.history(run.id)
            crashed = [each for each in history.task_runs if history[each.id].names[-1] == "Crashed"]
            print(history.states.names[-1], *sorted(each.n for each in crashed))
            print(twenty.resume(history).name)
"""


def crashes():
    """The runner, and the number of the change at which the process is killed: some, and with --soak all."""
    for runner in ("sequential", "concurrent"):
        yield from ((runner, index) for index in (0, 1, 2, 4, 21, 35, 59, 60, 62))
        yield from (pytest.param(runner, index, marks=pytest.mark.soak) for index in range(63))
    patient = pytest.mark.timeout(240)  # each starts two clusters
    yield pytest.param("dask", 35, marks=patient)
    soaked = [("dask", index) for index in range(3, 63, 7)] + [
        ("ray", index) for index in (3, 20, 35, 50, 61)
    ]
    yield from (pytest.param(*each, marks=[patient, pytest.mark.soak]) for each in soaked)


@pytest.mark.slow
@pytest.mark.parametrize(("runner", "index"), list(crashes()))
def test_a_flow_that_is_killed_at_any_write_is_marked_and_resumed(tmp_path, flows_home, runner, index):
    program, ledger = tmp_path / "twenty.py", tmp_path / "ledger"
    program.write_text(TWENTY)

    def run(at):
        command = [sys.executable, str(program), str(tmp_path / "history.db"), str(ledger), runner, str(at)]
        environ = {**os.environ, "FLOWS_LOG_LEVEL": "CRITICAL"}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)

    assert run(index).returncode == -signal.SIGKILL
    store = SQLiteHistoryStore(tmp_path / "history.db")
    known = store.flow_runs()
    if not known:  # killed before its beginning was acknowledged, and so before anything ran
        assert index < 2
        assert not ledger.exists()
        return
    if store.history(known[0].id).states.names[-1:] == ["Completed"]:  # its last change was written in time
        assert index == 62
        return
    resumed = run(-1)

    assert resumed.stderr == ""
    first, second = resumed.stdout.splitlines()
    assert second == "Completed"
    word, *interrupted = first.split()
    assert word == "Crashed"
    assert violations(store.history(known[0].id)) == []
    # What had been recorded as completed has run once; what was under way, at least once.
    made = [int(line) for line in ledger.read_text().splitlines()]
    assert set(made) == set(range(20))
    assert {n for n in made if made.count(n) > 1} <= set(map(int, interrupted))
