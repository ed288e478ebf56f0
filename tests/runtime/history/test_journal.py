"""The pen that the engine writes histories with."""

import threading

from runtime.clocks import SystemClock
from runtime.history import Journal, MemoryHistoryStore
from runtime.states import Completed, Pending, Running


class SteppingClock(SystemClock):
    """Time goes on by a second whenever somebody looks."""

    def __init__(self):
        super().__init__()
        self._now = 100.0

    def monotonic(self):
        self._now += 1.0
        return self._now


def journal(story, **more):
    store = MemoryHistoryStore()
    store.begin(story.flow_run)
    return Journal(SteppingClock(), store, threading.RLock(), **more), store


def test_changes_are_numbered_and_timed_from_the_beginning(story):
    pen, store = journal(story)
    run = story.task()

    pen.write(story.flow_run, Pending(at=5.0))
    pen.write(run, Pending(at=6.0))
    pen.write(run, Running(at=7.0), attempt=1, run_count=2, worker="thread-1")

    first, second, third = store.history(story.flow_run.id)
    assert [change.index for change in (first, second, third)] == [0, 1, 2]
    assert [change.elapsed for change in (first, second, third)] == [1.0, 2.0, 3.0]
    assert [change.at for change in (first, second, third)] == [5.0, 6.0, 7.0]
    assert (third.attempt, third.run_count, third.worker) == (1, 2, "thread-1")


def test_a_history_holds_no_data(story):
    pen, store = journal(story)
    state = Completed(data="a large result", at=5.0)

    change = pen.write(story.flow_run, state)

    assert change.state == state
    assert change.state.data is None
    assert next(iter(store.history(story.flow_run.id))).state.data is None
    assert state.data == "a large result"


def test_without_a_store_changes_are_made_all_the_same(story):
    pen = Journal(SteppingClock(), None, threading.RLock())

    assert pen.write(story.flow_run, Pending()).index == 0
    assert pen.write(story.flow_run, Running()).index == 1
