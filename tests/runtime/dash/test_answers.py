"""A history in parts, as the page asks for it."""

import itertools

import pytest

from runtime.history import SQLiteHistoryStore
from runtime.history.sqlite.listing import FlowRunSummary


@pytest.fixture
def failed(kept) -> FlowRunSummary:
    return kept.summaries(state="failed")[0]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_parts_make_up_the_whole_history(kept, failed, limit):
    history = kept.history(failed.flow_run.id)

    parts = [kept.part(failed.flow_run.id, start, limit) for start in range(0, len(history), limit)]

    changes = list(itertools.chain.from_iterable(part.changes for part in parts))
    assert [(change.position, change.run, change.name, change.worker) for change in changes] == [
        (change.index, change.run.id.hex, change.state.name, change.worker) for change in history
    ]
    begun = {run.id: run for part in parts for run in part.begun}
    tasks = [run for run in begun.values() if not run.is_flow]
    assert {run.id for run in tasks} == {run.id.hex for run in history.task_runs}
    assert [run.name for run in begun.values() if run.is_flow] == [
        run.flow_name for run in history.subflow_runs
    ]
    assert kept.reached(failed.flow_run.id)[0] == len(history)


def test_a_part_after_the_end_is_empty(kept, failed):
    end, _ = kept.reached(failed.flow_run.id)

    assert kept.part(failed.flow_run.id, end).changes == []


def test_all_that_happened_to_one_run_is_told(kept, failed):
    history = kept.history(failed.flow_run.id)

    told = kept.changes_of(failed.flow_run.id, history["fetch-1"].run.id)

    assert [change.name for change in told] == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]
    assert told[-1].message == "Task run encountered an exception."
    assert [change.at for change in told] == [change.at for change in history["fetch-1"]]


def test_pages_of_the_list_are_as_long_as_asked_for(kept, failed):
    (newest,) = kept.summaries(limit=1)
    (older,) = kept.summaries(limit=1, before=newest.flow_run.id)

    assert kept.summaries(before=older.flow_run.id) == []
    assert kept.summary(older.flow_run.id) == older


def test_a_store_that_is_not_there_has_no_runs(tmp_path, failed):
    with pytest.raises(KeyError):
        SQLiteHistoryStore(tmp_path / "none.db").part(failed.flow_run.id)
