"""Where histories are kept: the store in memory."""

import asyncio
import threading

import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.history import MemoryHistoryStore, StateChange
from runtime.states import Pending


def filled(store, story):
    """The store with everything that the story tells."""
    for run in (story.flow_run, *story.subflow_runs):
        store.begin(run)
    for change in story.changes:
        store.append(change)
    return store


def test_a_store_gives_back_what_it_was_told(story):
    child = story.subflow()
    inner = story.task(of=child)
    story.tell(story.flow_run, Pending()).tell(story.task(), Pending()).tell(inner, Pending())

    history = filled(MemoryHistoryStore(), story).history(story.flow_run.id)

    assert history.flow_run is story.flow_run
    assert history.subflow_runs == [child]
    assert list(history) == story.changes


def test_the_history_of_a_subflow_holds_its_own_runs_alone(story):
    child, other = story.subflow(), story.subflow("other")
    grandchild = story.subflow("grandchild", parent=child)
    story.tell(story.task(of=child), Pending()).tell(story.task(of=other), Pending())
    story.tell(story.task(of=grandchild), Pending()).tell(story.task(), Pending()).tell(child, Pending())

    history = filled(MemoryHistoryStore(), story).history(child.id)

    assert history.flow_run is child
    assert history.subflow_runs == [grandchild]
    assert [change.index for change in history] == [0, 2, 4]
    assert [history.path(run) for run in history.task_runs] == ["add-0", "grandchild-0/add-0"]


def test_only_outermost_flow_runs_are_listed_oldest_first(story):
    later = type(story)()
    later.flow_run = story.subflow().__class__(story.subflow().id, "another", "outer")
    store = MemoryHistoryStore()
    story.subflow_runs.clear()
    story.subflow()

    filled(store, story)
    filled(store, later)

    assert store.flow_runs() == [story.flow_run, later.flow_run]


def test_a_flow_run_that_is_not_known_is_a_key_error(story):
    with pytest.raises(KeyError):
        MemoryHistoryStore().history(story.flow_run.id)


def test_changes_of_runs_that_were_never_begun_are_dropped(story):
    store = MemoryHistoryStore()

    store.append(StateChange(story.task(), 0, Pending(), 0.0, 0.0))

    assert store.flow_runs() == []


def test_the_oldest_flow_runs_are_forgotten_with_all_that_belongs_to_them():
    store = MemoryHistoryStore(keep=2)

    @task
    def add():
        return 1

    @flow
    def child():
        add()

    @flow
    def parent():
        child()

    with environment(store=store):
        for _ in range(4):
            parent()
    kept = store.flow_runs()

    assert len(kept) == 2
    assert all("child-0/add-0" in store.history(run.id) for run in kept)
    assert len(store._tree_of) == 4


def test_a_flow_run_that_is_under_way_when_it_is_forgotten_goes_on():
    store = MemoryHistoryStore(keep=1)

    @flow
    def quick():
        return "quick"

    @task
    def add():
        return 1

    def run_quick():
        with environment(store=store):
            quick()

    @flow
    def slow():
        thread = threading.Thread(target=run_quick)
        thread.start()
        thread.join(30)
        return add.submit().result()

    with environment(store=store):
        assert slow() == 1

    assert [run.flow_name for run in store.flow_runs()] == ["quick"]


@pytest.mark.parametrize("keep", [0, -1])
def test_a_store_keeps_one_flow_run_at_least(keep):
    with pytest.raises(ValueError, match="keep must be 1 or more, or None"):
        MemoryHistoryStore(keep=keep)


def test_a_store_may_keep_everything(story):
    store = MemoryHistoryStore(keep=None)

    @flow
    def quick():
        return 1

    with environment(store=store):
        for _ in range(150):
            quick()

    assert len(store.flow_runs()) == 150


def test_what_is_in_memory_is_safe_at_once(story):
    store = MemoryHistoryStore()

    store.commit(story.flow_run.id)
    asyncio.run(store.commit_async(story.flow_run.id))

    assert store.flow_runs() == []


def test_a_history_that_was_asked_for_does_not_grow(story):
    story.tell(story.flow_run, Pending())
    store = filled(MemoryHistoryStore(), story)
    before = store.history(story.flow_run.id)

    store.append(StateChange(story.task(), 1, Pending(), 0.0, 0.0))

    assert len(before) == 1
    assert len(store.history(story.flow_run.id)) == 2
