"""Histories as JSON, there and back, and documents that are none."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from runtime import allow_failure, flow, get_run_context, tags, task
from runtime.context import environment
from runtime.exceptions import HistoryError
from runtime.history import FlowRunHistory, MemoryHistoryStore
from runtime.runs import TaskRun
from runtime.states import AwaitingRetry, Completed, Failed, Pending, Retrying, Running, StateType
from runtime.task_runners import SequentialTaskRunner


@task(retries=1)
def flaky(x):
    if get_run_context().attempt == 1:
        raise ValueError("the first time")
    return x


@task(task_run_name="add-{x}-and-{y}", tags=["sum"])
def add(x, y):
    return x


@task
def outer(x):
    return add(x, 1)


@task
def bad():
    raise KeyError("bad")


@flow(task_runner=SequentialTaskRunner())
def child(x):
    return outer.submit(x)


@flow(retries=1, version="7")
def parent(day: str):
    first = flaky.submit(1)
    with tags("night"):
        total = add.submit(first, allow_failure(bad.submit()), wait_for=[first])
    child(total)
    add.submit(bad.submit(), 2)


@pytest.fixture
def recorded() -> FlowRunHistory:
    """The history of a flow with retries, failures, subflows, tasks in tasks and all kinds of inputs."""
    store = MemoryHistoryStore()
    with environment(store=store):
        parent("monday", return_state=True)
    return store.history(store.flow_runs()[0].id)


def everything(history: FlowRunHistory) -> Any:
    """All that a history says, as something that can be compared."""
    return (
        asdict(history.flow_run),
        [asdict(run) for run in history.subflow_runs],
        [_fields(run) for run in history.task_runs],
        [
            (
                change.run.id,
                type(change.run),
                change.index,
                (change.state.type, change.state.name, change.state.message, change.state.at),
                change.at,
                change.elapsed,
                change.attempt,
                change.run_count,
                change.worker,
            )
            for change in history
        ],
    )


def _fields(run: TaskRun) -> Any:
    parent = None if run.parent is None else _fields(run.parent)
    fields = (run.id, run.task_name, run.task_key, run.n, run.flow_run_id, run.title, run.tags, run.inputs)
    return fields, parent


def refusal(document: str | bytes) -> str:
    """Why a document is not read."""
    with pytest.raises(HistoryError) as caught:
        FlowRunHistory.from_json(document)
    return str(caught.value)


def with_change(history: FlowRunHistory, position: int, **members: Any) -> str:
    """The document of a history in which one change says something else."""
    document = json.loads(history.to_json())
    document["changes"][position].update(members)
    return json.dumps(document)


def test_a_history_comes_back_from_json_exactly(recorded):
    again = FlowRunHistory.from_json(recorded.to_json())

    assert everything(again) == everything(recorded)
    assert again == recorded
    assert again.to_json() == recorded.to_json()


def test_the_recorded_history_is_a_rich_one(recorded):
    runs = recorded.task_runs

    assert {"AwaitingRetry", "Retrying", "NotReady", "Completed", "Failed"} <= {
        c.state.name for c in recorded
    }
    assert recorded.states.names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]
    assert {item.kind for run in runs for item in run.inputs} == {"data", "wait_for"}
    assert any(run.parent is not None for run in runs)
    assert len(recorded.subflow_runs) == 1
    assert any(run.tags == ("night", "sum") for run in runs)


def test_the_graph_of_inputs_is_part_of_the_json(recorded):
    again = FlowRunHistory.from_json(recorded.to_json())

    inputs = again["add-0"].run.inputs
    upstream = {run.id: run.short_name for run in again.task_runs}
    assert [(item.kind, item.parameter, upstream[item.task_run]) for item in inputs] == [
        ("data", "x", "flaky-0"),
        ("data", "y", "bad-0"),
        ("wait_for", "", "flaky-0"),
    ]


def test_the_history_of_a_subflow_alone_comes_back_with_the_numbers_it_has_in_the_whole(story):
    child = story.subflow()
    inner, other = story.task(of=child), story.task("other")
    story.tell(story.flow_run, Pending(), Running()).tell(child, Pending(), Running())
    story.tell(inner, Pending()).tell(other, Pending()).tell(inner, Running(), attempt=1)
    store = MemoryHistoryStore()
    store.begin(story.flow_run)
    store.begin(child)
    for change in story.changes:
        store.append(change)
    alone = store.history(child.id)

    again = FlowRunHistory.from_json(alone.to_json())

    assert everything(again) == everything(alone)
    assert [change.index for change in again] == [2, 3, 4, 6]


def test_a_run_still_under_way_has_a_json_form(story):
    story.tell(story.flow_run, Pending(), Running(), attempt=1)

    again = FlowRunHistory.from_json(story.history.to_json())

    assert again.states.names == ["Pending", "Running"]


def test_a_flow_run_that_nothing_happened_to_has_a_json_form(story):
    again = FlowRunHistory.from_json(story.history.to_json())

    assert len(again) == 0
    assert again.flow_run == story.flow_run


def test_every_text_comes_back_whatever_characters_it_has(story):
    message = 'quote " backslash \\ newline \n null \0 emoji \N{SNAKE} not UTF-8 \udc80'
    run = story.task(title="/%&<>")
    story.tell(run, Pending(), Failed(message), worker="thread-\N{GREEK SMALL LETTER ALPHA}")

    document = story.history.to_json()

    assert document.isascii()
    again = FlowRunHistory.from_json(document)
    assert everything(again) == everything(story.history)


def test_a_document_in_bytes_is_read_as_utf_8(story):
    story.tell(story.task(title="\N{SNAKE}"), Pending())
    fields = json.loads(story.history.to_json())

    again = FlowRunHistory.from_json(json.dumps(fields, ensure_ascii=False).encode())

    assert again.task_runs[0].name == "\N{SNAKE}"


def test_a_run_that_only_submitted_others_of_the_history_is_kept(story):
    submitter = story.task("outer")
    story.tell(story.task(parent=story.task("middle", parent=submitter)), Pending())

    again = FlowRunHistory.from_json(story.history.to_json())

    assert again.task_runs[0].short_name == "outer-0/middle-0/add-0"


def test_a_chain_of_thousands_of_runs_each_submitted_by_the_one_before_comes_back(story):
    run = None
    for n in range(3_000):
        run = story.task("t", n, parent=run)
        story.tell(run, Pending())

    again = FlowRunHistory.from_json(story.history.to_json())

    assert again.task_runs[-1].short_name == run.short_name
    assert run.short_name.startswith("t-0/t-1/")


def test_subflows_nested_by_the_thousand_come_back(story):
    run = story.flow_run
    for _ in range(3_000):
        run = story.subflow(parent=run)
    story.tell(run, Pending())

    again = FlowRunHistory.from_json(story.history.to_json())

    assert again.path(run).count("/") == 2_999
    assert "child-0/child-0" in repr(again)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", "Not JSON: Expecting value: line 1 column 1"),
        ("{", "Not JSON: Expecting property name"),
        ('{"format": "flows-history"} and more', "Not JSON: Extra data: line 1 column 29"),
        ("[]", "This is not a history"),
        ("null", "This is not a history"),
        ("{}", "This is not a history"),
        ('{"format": "flows-schedule", "version": 1}', "This is not a history"),
        (b"\x80\x04\x95", "Not text in UTF-8: 'utf-8' codec can't decode byte 0x80 in position 0"),
        (b'{"format": "\xff"}', "Not text in UTF-8: 'utf-8' codec can't decode byte 0xff in position 12"),
        ('{"format": "\udc80"}', "Not text in UTF-8: 'utf-8' codec can't encode character '\\udc80'"),
        ("\ufeff{}", "Not JSON: Unexpected UTF-8 BOM"),
        ('{"format": "flows-history"}', "This history is of version None"),
        ('{"format": "flows-history", "version": 2}', "of version 2; only version 1 can be read here"),
        ('{"format": "flows-history", "version": true}', "of version True"),
        ('{"format": "flows-history", "version": 1.0}', "of version 1.0"),
        ('{"format": "flows-history", "version": 1}', "at the document: the member 'flow_run' is missing"),
    ],
)
def test_what_is_not_a_history_is_refused_with_the_reason(document, problem):
    assert problem in refusal(document)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_a_document_nested_deep_is_refused_with_the_place(opening):
    document = '{"brackets in text": "[[[[[[[[[[",\n "\\"": ' + opening * 200_000

    assert "nested too deep, at line 2 column" in refusal(document)


def test_a_document_that_is_too_long_is_refused_before_it_is_parsed(story):
    document = story.history.to_json()

    with pytest.raises(HistoryError, match=f"{len(document)} characters are more than"):
        FlowRunHistory.from_json(document, largest=len(document) - 1)
    assert FlowRunHistory.from_json(document, largest=len(document)) == story.history


def test_more_than_a_hundred_million_characters_are_too_long_unless_more_is_asked_for():
    document = b" " * 100_000_001

    assert "100,000,001 characters are more than a history may have here (100,000,000)" in refusal(document)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"at": "NaN"}, "at changes[1].at: expected a finite number"),
        ({"at": None}, "changes[1].at"),
        ({"at": True}, "changes[1].at"),
        ({"at": 1e300}, "changes[1].at"),
        ({"elapsed": -1}, "at changes[1].elapsed: expected a finite number, at least 0, found -1"),
        ({"index": 1.0}, "at changes[1].index: expected a whole number from 0"),
        ({"index": True}, "changes[1].index"),
        ({"index": -1}, "changes[1].index"),
        ({"index": 10**19}, "changes[1].index"),
        ({"attempt": "1"}, "changes[1].attempt"),
        ({"run_count": 0}, "at changes[1].run_count: expected a whole number from 1"),
        ({"type": "DONE"}, "at changes[1].type: expected one of CANCELLED, CANCELLING, COMPLETED"),
        ({"type": ["RUNNING"]}, "changes[1].type"),
        ({"name": None}, "at changes[1].name: expected a string, found None"),
        ({"message": 3}, "at changes[1].message: expected a string, found 3"),
        ({"worker": {}}, "changes[1].worker"),
        ({"run_id": "add-0"}, "at changes[1].run_id: expected an id, such as"),
        ({"run_id": "{00000000-0000-4000-8000-00000000000}"}, "changes[1].run_id"),
        ({"run_id": "00000000-0000-4000-8000-00000000ABCD"}, "changes[1].run_id"),
        ({"run_id": "00000000-0000-4000-8000-0000000000ff"}, "changes[1].run_id: no run has the id 0000"),
        ({"code": "import os"}, "at changes[1]: nobody knows the member 'code'"),
    ],
)
def test_a_change_that_says_something_impossible_is_refused_with_the_place(story, members, problem):
    story.tell(story.flow_run, Pending(), Running(), Completed(), attempt=1)

    assert problem in refusal(with_change(story.history, 1, **members))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000])
def test_numbers_that_are_none_are_refused_with_the_place(story, number):
    story.tell(story.flow_run, Pending(), Running())
    document = with_change(story.history, 1, elapsed="here").replace('"here"', number)

    assert "at changes[1].elapsed: expected a finite number" in refusal(document)


def test_a_member_that_is_there_twice_is_refused_with_the_place(story):
    story.tell(story.flow_run, Pending(), Running())
    document = story.history.to_json()

    twice = document.replace('"name": "Running"', '"name": "Running", "name": "Completed"')
    assert "at changes[1]: the member 'name' is there twice" in refusal(twice)
    twice = document.replace('"changes": [', '"changes": [], "changes": [')
    assert "at the document: the member 'changes' is there twice" in refusal(twice)


def test_a_member_that_is_missing_is_refused_with_the_place(story):
    story.tell(story.flow_run, Pending())
    document = story.history.to_json().replace('"attempt": 0, ', "")

    assert "at changes[0]: the member 'attempt' is missing" in refusal(document)


@pytest.mark.parametrize(
    ("position", "members", "problem"),
    [
        (0, {"index": 1}, "at changes[0]: the first change is numbered 1"),
        (1, {"index": 2}, "at changes[1]: <2 add-0 Pending +0.125000s> follows <0"),
        (1, {"index": 0}, "at changes[1]"),
        (2, {"elapsed": 0.1}, "at changes[2]: <2 add-0 Running +0.100000s> follows <1 add-0 Pending"),
        (1, {"type": "RUNNING"}, "at changes[1]: Pending(message=None, type=RUNNING) cannot follow None"),
        (
            2,
            {"type": "PENDING", "name": "NotReady"},
            "at changes[3]: Failed(message=None, type=FAILED) cannot follow",
        ),
        (3, {"type": "PENDING"}, "cannot follow Running(message=None, type=RUNNING)"),
        (4, {"run_count": 1}, "at changes[4]: Pending(message=None, type=PENDING) cannot follow Failed("),
        (5, {"run_count": 1}, "at changes[5]: run count 1 follows 2"),
        (5, {"attempt": 0}, "at changes[5]: attempt 0 follows 1"),
    ],
)
def test_changes_that_cannot_follow_each_other_are_refused_with_the_place(story, position, members, problem):
    run = story.task()
    story.tell(story.flow_run, Pending()).tell(run, Pending()).tell(run, Running(), Failed(), attempt=1)
    story.tell(run, Pending(), run_count=2, attempt=1).tell(run, Running(), run_count=2, attempt=1)
    assert FlowRunHistory.from_json(story.history.to_json()) == story.history

    assert problem in refusal(with_change(story.history, position, **members))


def test_a_flow_run_goes_on_in_its_next_run_count(story):
    story.tell(story.flow_run, Pending(), Running(), AwaitingRetry(), attempt=1)
    story.tell(story.flow_run, Retrying(), Completed(), attempt=2, run_count=2)

    assert FlowRunHistory.from_json(story.history.to_json()) == story.history


def damaged(history: FlowRunHistory, *path: str | int, value: Any) -> str:
    """The document of a history with one value put elsewhere."""
    document = json.loads(history.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["flow_run"], None, "at flow_run: expected an object, found None"),
        (["flow_run", "id"], 7, "at flow_run.id"),
        (["flow_run", "tags"], "night", "at flow_run.tags: expected an array, found 'night'"),
        (["flow_run", "tags"], [1], "at flow_run.tags[0]: expected a string, found 1"),
        (["flow_run", "parameters"], {}, "at flow_run.parameters: expected a string"),
        (["flow_run", "created"], -1e12, "at flow_run.created"),
        (["flow_run", "flow_version"], 7, "at flow_run.flow_version"),
        (["subflow_runs"], {}, "at subflow_runs: expected an array"),
        (["subflow_runs", 0, "parent_id"], None, "at subflow_runs[0]: its parent None is not"),
        (["subflow_runs", 0, "n"], -1, "at subflow_runs[0].n"),
        (["task_runs", 0], "add-0", "at task_runs[0]: expected an object, found 'add-0'"),
        (
            ["task_runs", 1, "inputs", 0, "kind"],
            "magic",
            "at task_runs[1].inputs[0].kind: expected one of data",
        ),
        (["task_runs", 1, "inputs", 0, "task_run_id"], "", "at task_runs[1].inputs[0].task_run_id"),
        (["changes"], "none", "at changes: expected an array"),
        (["changes", 0], [], "at changes[0]: expected an object"),
    ],
)
def test_a_run_that_says_something_impossible_is_refused_with_the_place(story, path, value, problem):
    story.subflow()
    first = story.task()
    story.tell(first, Pending()).tell(story.task("more", upstream=(first,)), Pending())

    assert problem in refusal(damaged(story.history, *path, value=value))


def test_runs_must_have_ids_of_their_own(story):
    story.subflow()
    story.tell(story.task(), Pending()).tell(story.task(n=1), Pending())
    outermost, first = str(story.flow_run.id), str(story.changes[0].run.id)

    for path, known in [
        (("subflow_runs", 0, "id"), outermost),
        (("task_runs", 0, "id"), outermost),
        (("task_runs", 1, "id"), first),
    ]:
        assert f"the run {known} is there already" in refusal(damaged(story.history, *path, value=known))


def test_runs_cannot_be_their_own_ancestors(story):
    story.tell(story.task(parent=story.task("outer")), Pending())
    story.subflow()
    grandchild = story.subflow("grandchild")
    inner = str(story.changes[0].run.id)

    task_circle = damaged(story.history, "task_runs", 0, "parent_id", value=inner)
    flow_circle = damaged(story.history, "subflow_runs", 0, "parent_id", value=str(grandchild.id))

    assert f"at task_runs[0].parent_id: {inner} is not a task run before it" in refusal(task_circle)
    assert f"at subflow_runs[0]: its parent {grandchild.id} is not a flow run before it" in refusal(
        flow_circle
    )


def test_a_task_run_belongs_to_a_flow_run_of_the_history(story):
    story.tell(story.task(), Pending())
    stranger = "00000000-0000-4000-8000-0000000000ff"

    document = damaged(story.history, "task_runs", 0, "flow_run_id", value=stranger)

    assert f"at task_runs[0].flow_run_id: no flow run has the id {stranger}" in refusal(document)


def test_every_cut_of_a_document_is_refused_and_none_breaks_the_reader(recorded):
    document = recorded.to_json()

    for end in range(0, len(document), 97):
        assert refusal(document[:end])


def test_every_state_type_has_a_name_in_json(story):
    for kind in StateType:
        assert kind.value in refusal(with_change(story.tell(story.flow_run, Pending()).history, 0, type="?"))
