"""The store in a file: what it was told it gives back, and what it waits for."""

import asyncio
import gc
import os
import sqlite3
import threading
import time
from contextlib import closing
from uuid import UUID

import pytest

from runtime import flow, tags, task
from runtime.context import environment
from runtime.exceptions import StoreError
from runtime.history import FlowRunHistory, SQLiteHistoryStore, StateChange
from runtime.history.guarantees import violations
from runtime.runs import FlowRun
from runtime.states import AwaitingRetry, Completed, Pending, Retrying, Running
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@task
def add(x, y):
    return x + y


@flow
def sums(n):
    return [add.submit(add.submit(i, 1), 2) for i in range(n)]


def tell(store, story):
    """Tell the store all of the story, and wait until it is written."""
    for run in (story.flow_run, *story.subflow_runs):
        store.begin(run)
    for change in story.changes:
        store.append(change)
    store.commit(story.flow_run.id)


def test_a_story_comes_back_as_it_was_told(store, story):
    child = story.subflow()
    outer = story.task("outer", of=child)
    inner = story.task("inner", of=child, parent=outer, title="named", upstream=(outer,))
    story.tell(story.flow_run, Pending(), Running()).tell(child, Pending(), Running())
    story.tell(outer, Pending()).tell(outer, Running("müde \udc80"), attempt=1, worker="thread-1")
    story.tell(inner, Pending()).tell(outer, AwaitingRetry("once more"), attempt=1)
    story.tell(outer, Retrying(), Completed(), attempt=2)

    tell(store, story)

    assert store.history(story.flow_run.id).to_json() == story.history.to_json()
    assert store.flow_runs() == [story.flow_run]


@pytest.mark.parametrize("text", [None, "", "0"])
def test_no_text_an_empty_one_and_a_nought_are_kept_apart(store, story, text):
    run = story.task(title=text)
    story.tell(story.flow_run, Pending(text)).tell(run, Pending(text)).tell(run, Running(text), worker=text)

    tell(store, story)

    kept = store.history(story.flow_run.id)
    assert [change.state.message for change in kept] == [text] * 3
    assert [run.title for run in kept.task_runs] == [text]
    assert [change.worker for change in kept] == [None, None, text]


@pytest.mark.parametrize("pairs", [24, 25, 60])
def test_any_number_of_changes_is_kept_in_order(store, story, pairs):
    for n in range(pairs):
        story.tell(story.task(n=n), Pending(str(n)), Running(str(n)))

    tell(store, story)

    assert store.history(story.flow_run.id).to_json() == story.history.to_json()


def test_the_history_of_a_subflow_holds_its_own_runs_alone(store, story):
    child, other = story.subflow(), story.subflow("other")
    story.tell(story.task(of=child), Pending()).tell(story.task(of=other), Pending())

    tell(store, story)

    assert [change.index for change in store.history(child.id)] == [0]
    assert store.history(child.id).flow_run == child


def test_a_submitter_may_be_stored_after_what_it_submitted(store, story):
    line = [story.task()]
    for _ in range(5):
        line.append(story.task(parent=line[-1]))
    for run in line:
        story.tell(run, Pending())

    tell(store, story)

    names = [change.run.short_name for change in store.history(story.flow_run.id)]
    assert names == [run.short_name for run in line]


@pytest.mark.parametrize(
    "runner", [SequentialTaskRunner(), ConcurrentTaskRunner()], ids=["sequential", "concurrent"]
)
def test_a_flow_run_is_in_the_file_when_the_flow_returns(store, runner):
    with environment(store=store), tags("nightly"):
        sums.with_options(task_runner=runner)(5)

    (run,) = SQLiteHistoryStore(store.path).flow_runs()
    history = SQLiteHistoryStore(store.path).history(run.id)
    assert violations(history) == []
    assert len(history) == 2 * 5 * 3 + 3
    assert run.tags == ("nightly",)


def test_async_flows_subflows_and_retries_are_kept(store):
    @flow
    async def child(n):
        return add.submit(n, 1)

    @flow(retries=1)
    async def parent():
        children = await asyncio.gather(*(child(n, return_state=True) for n in range(3)))
        if not failed:
            failed.append(1)
            raise ValueError("once")
        return len(children)

    failed = []
    with environment(store=store):
        assert asyncio.run(parent()) == 3

    (run,) = store.flow_runs()
    history = store.history(run.id)
    assert violations(history) == []
    assert history.states == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]


def test_the_record_of_a_flow_run_is_in_the_file_before_its_function_is_called(store):
    @flow
    def look():
        (run,) = SQLiteHistoryStore(store.path).flow_runs()
        return SQLiteHistoryStore(store.path).history(run.id).states.names

    with environment(store=store):
        assert look() == ["Pending", "Running"]


@pytest.mark.parametrize(
    "runner", [SequentialTaskRunner(), ConcurrentTaskRunner()], ids=["sequential", "concurrent"]
)
def test_with_full_durability_the_end_of_a_task_is_in_the_file_before_anybody_hears_of_it(path, runner):
    store = SQLiteHistoryStore(path, durability="full")

    @flow(task_runner=runner)
    def look():
        add.submit(1, 1).wait()
        (run,) = store.flow_runs()
        return store.history(run.id)["add-0"].names

    with environment(store=store):
        assert look() == ["Pending", "Running", "Completed"]
    store.close()


def test_an_unknown_durability_is_refused(path):
    with pytest.raises(ValueError, match="'normal' or 'full', not 'half'"):
        SQLiteHistoryStore(path, durability="half")


def test_a_store_that_nobody_wrote_to_is_empty_and_makes_no_file(store):
    assert store.flow_runs() == []
    with pytest.raises(KeyError):
        store.history(UUID(int=1))
    assert not store.path.parent.exists()


def test_an_unknown_flow_run_is_a_key_error(store):
    with environment(store=store):
        sums(1)

    with pytest.raises(KeyError):
        store.history(UUID(int=1))


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_only_the_owner_may_read_the_file_and_its_folder(store):
    with environment(store=store):
        sums(1)

    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    for file in store.path.parent.glob("history.db*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_store_that_is_forgotten_lets_go_of_its_file(path):
    store = SQLiteHistoryStore(path)
    with environment(store=store):
        sums(1)

    del store
    for thread in threading.enumerate():
        if thread.name == "flows-history":
            thread.join(10)
    gc.collect()

    assert [file.name for file in path.parent.iterdir() if not file.name.endswith("-leases")] == [
        "history.db"
    ]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM process").fetchone() == (0,)


def test_a_store_that_was_closed_opens_again(store):
    with environment(store=store):
        sums(1)
        store.close()
        sums(1)

    assert len(store.flow_runs()) == 2


def test_changes_of_runs_that_never_began_are_dropped(store, story):
    store.append(StateChange(story.flow_run, 0, Pending(), 0.0, 0.0))

    assert store.flow_runs() == []


def test_the_thread_that_writes_ends_with_the_last_flow_run(store):
    with environment(store=store):
        sums(1)

    for thread in threading.enumerate():
        if thread.name == "flows-history":
            thread.join(10)
            assert not thread.is_alive()


def test_many_flow_runs_at_once_share_a_store(store):
    def run():
        with environment(store=store):
            for _ in range(5):
                sums(3)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    runs = store.flow_runs()
    assert len(runs) == 20
    assert [violations(store.history(run.id)) for run in runs] == [[]] * 20


def test_who_makes_changes_waits_where_the_writer_is_far_behind(path, story):
    store = SQLiteHistoryStore(path)
    store._writer._limit = 10
    story.tell(story.flow_run, Pending(), Running())
    for n in range(500):
        story.tell(story.task(n=n), Pending())
    longest = 0

    store.begin(story.flow_run)
    for change in story.changes:
        store.append(change)
        longest = max(longest, len(store._writer._items))
    store.commit(story.flow_run.id)

    assert longest <= 11
    assert len(store.history(story.flow_run.id)) == 502
    store.close()


def test_a_forked_child_writes_nothing_of_its_parents_runs(store):
    @task
    def fork():
        child = os.fork()
        if child == 0:
            code = 1
            try:
                add(1, 1)  # a task run of the parent's flow run
                sums(2)  # inside of it: a subflow run
                with environment(store=SQLiteHistoryStore(store.path.with_name("other.db"))):
                    code = 0
            finally:
                os._exit(code)
        return os.waitpid(child, 0)[1]

    @flow(task_runner=SequentialTaskRunner())
    def forking():
        return fork.submit().result()

    with environment(store=store):
        assert forking() == 0

    (run,) = store.flow_runs()
    history = store.history(run.id)
    assert violations(history) == []
    assert [run.short_name for run in history.task_runs] == ["fork-0"]


def test_a_forked_child_may_run_flows_of_its_own(store):
    with environment(store=store):
        sums(1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sums(2)
                store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        sums(3)

    runs = store.flow_runs()
    assert [violations(store.history(run.id)) for run in runs] == [[], [], []]
    assert sorted(len(store.history(run.id).task_runs) for run in runs) == [2, 4, 6]


def test_ten_thousand_changes_are_read_in_less_than_a_second_of_cpu(store, story):
    story.tell(story.flow_run, Pending(), Running())
    for n in range(3_333):
        run = story.task(n=n)
        story.tell(run, Pending()).tell(run, Running(), Completed(), attempt=1, worker="thread-1")
    story.tell(story.flow_run, Completed())
    tell(store, story)

    began = time.process_time()
    history = store.history(story.flow_run.id)

    assert time.process_time() - began < 1.0
    assert len(history) == 10_002
    assert isinstance(history, FlowRunHistory)


def test_a_flow_run_that_is_under_way_cannot_begin_again(store, story):
    again = FlowRun(story.flow_run.id, "olivine-swan", "outer")
    story.tell(story.flow_run, Pending(), Running())
    tell(store, story)
    other = SQLiteHistoryStore(store.path)

    other.begin(again)

    with pytest.raises(StoreError, match="'olivine-swan' is under way already"):
        other.commit(again.id)
    for each in (store, other):
        each.close()
