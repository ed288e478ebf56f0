"""Whatever users hand over, a run ends in the right state, or a call in an error that names what is wrong."""

import inspect
import sqlite3
from contextlib import closing, suppress

import pytest
from click.testing import CliRunner

from runtime import flow, task
from runtime.cli import main
from runtime.context import environment
from runtime.exceptions import FlowsError, StoreError
from runtime.flows import FlowOptions
from runtime.history import FlowRunHistory, SQLiteHistoryStore
from runtime.history.guarantees import violations
from runtime.lifecycle import traceback_of
from runtime.results import LocalResultStorage, StoredResult
from runtime.settings import SettingsError, read_settings
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner
from runtime.tasks import TaskOptions
from tests.faults import bad_inputs

VALUES = [name for name, _ in bad_inputs.values()]
#: values that raise when they are looked at: what they raise is raised at the call, and no run begins
REFUSED = {
    "deep list": RecursionError,
    "no attributes": ZeroDivisionError,
    "trapped dictionary": ZeroDivisionError,
    "trapped list": ZeroDivisionError,
}
EXCEPTIONS = [name for name, _ in bad_inputs.exceptions()]
DAMAGES = 60


def sampled(cases, first):
    """All cases; those after the first few run with the long campaigns alone."""
    return [
        case if number < first else pytest.param(case, marks=pytest.mark.soak)
        for number, case in enumerate(cases)
    ]


@pytest.fixture
def kept(flows_home):
    """A store that lasts, in force; what is true of every history is true of all in it."""
    store = SQLiteHistoryStore(flows_home / "history.db")
    with environment(store=store):
        yield store
    for run in store.flow_runs():
        history = store.history(run.id)
        assert violations(history) == []
        assert FlowRunHistory.from_json(history.to_json()).to_json() == history.to_json()
    store.close()


def the_history(store):
    return store.history(store.flow_runs()[-1].id)


@pytest.mark.parametrize("kind", sampled([ConcurrentTaskRunner, SequentialTaskRunner], 1))
@pytest.mark.parametrize("name", VALUES)
def test_any_value_may_be_a_parameter_and_a_result(kept, name, kind):
    value = dict(bad_inputs.values())[name]

    @task(persist_result=True)
    def passes(x):
        return x

    @flow(task_runner=kind())
    def carries(x, password="hunter2"):
        return [type(passes.submit(x).result()), type(passes(x))]

    if name in REFUSED:
        with pytest.raises(REFUSED[name]):
            carries(value)
        return

    state = carries(value, return_state=True)

    assert state.is_completed(), state
    assert all(kind is type(value) for kind in state.data)


def of_ours(error, option):
    """Whether an error says which option is wrong, or is a value's own."""
    return isinstance(error, TypeError | ValueError) and any(
        word in str(error) for word in (option, option.replace("_", " "), "retry delays", "timeout", "name")
    )


def declared(decorate, options, option):
    """The flow or task; None where it is refused as it should be."""
    try:
        return decorate(**options)(lambda x=1: x)
    except Exception as error:
        assert of_ours(error, option), repr(error)
        return None


@pytest.mark.parametrize("value", bad_inputs.OPTION_VALUES)
@pytest.mark.parametrize("kind", ["flow", "task"])
def test_an_option_that_cannot_be_is_named_where_it_is_declared(kept, kind, value):
    decorate, known = (flow, FlowOptions) if kind == "flow" else (task, TaskOptions)
    known = {**inspect.get_annotations(known), **known.__annotations__}
    for option in known:
        made = declared(decorate, {option: bad_inputs.OPTION_VALUES[value]}, option)
        if made is None:
            continue
        outer = made if kind == "flow" else flow(name="outer")(lambda made=made: made.submit().wait())

        try:
            state = outer(return_state=True)
        except TypeError as error:  # a function that makes names, and makes none
            assert option in str(error)
        else:
            assert state.is_final(), (option, state)


@pytest.mark.parametrize("name", bad_inputs.NAMES, ids=range(len(bad_inputs.NAMES)))
def test_a_name_is_refused_or_found_again(kept, name):
    try:
        named_task = task(name=name)(lambda: 1)
        named_flow = flow(name=name, flow_run_name=lambda: name)(lambda: named_task.submit())
    except ValueError as error:
        assert "name" in str(error)
        return

    named_flow()

    history = the_history(kept)
    assert (history.flow_run.name, history.flow_run.flow_name) == (name, name)
    assert [run.task_name for run in history.task_runs] == [name]
    for command in (["ls"], ["ls", "--json"], ["show", "latest", "--states"], ["logs", "latest"]):
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0


@pytest.mark.parametrize("option", ["flow_run_name", "task_run_name"])
@pytest.mark.parametrize("template", bad_inputs.TEMPLATES, ids=range(len(bad_inputs.TEMPLATES)))
def test_a_template_of_names_is_refused_or_used(kept, option, template):
    decorate = flow if option == "flow_run_name" else task
    made = declared(decorate, {option: template}, option)
    if made is None:
        return
    outer = made if decorate is flow else flow(name="outer")(lambda: made.submit(1).wait())

    try:
        state = outer(return_state=True)
    except Exception as error:
        assert isinstance(error, ValueError | AttributeError | KeyError | TypeError | IndexError)
        return

    assert state.is_final()


@pytest.mark.parametrize(
    "place", sampled(["flow", "task", "condition", "task in order", "async task", "hook", "cache key"], 3)
)
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_any_exception_ends_the_run_that_raised_it(kept, name, place):
    error = dict(bad_inputs.exceptions())[name]

    def raises(*arguments):
        raise error

    async def raises_async():
        raise error

    def fails():
        raise ValueError("asks the condition")

    declare = {
        "flow": lambda: None,
        "task": lambda: task(raises),
        "task in order": lambda: task(raises),
        "async task": lambda: task(raises_async),
        "hook": lambda: task(on_running=[raises])(lambda: 1),
        "condition": lambda: task(retries=1, retry_condition_fn=raises)(fails),
        "cache key": lambda: task(cache_key_fn=raises)(lambda: 1),
    }
    made = declare[place]()
    runner = SequentialTaskRunner() if place == "task in order" else ConcurrentTaskRunner()

    @flow(task_runner=runner)
    def outer():
        if made is None:
            raise error
        return [made.submit().wait().type.value]

    try:
        state = outer(return_state=True)
    except BaseException as raised:
        assert raised is error
        assert the_history(kept).states[-1].state.is_crashed()
    else:
        assert state.is_final()
        if made is None:
            assert state.is_failed() or state.is_crashed()
        else:
            assert state.data == (["COMPLETED"] if place == "hook" else state.data)
            assert state.data[0] in {"COMPLETED", "FAILED", "CRASHED"}
    assert traceback_of(error)
    if place == "task":
        assert CliRunner().invoke(main, ["show", "latest"], catch_exceptions=False).exit_code == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a store with a flow run in it."""
    path = tmp_path_factory.mktemp("whole") / "history.db"
    store = SQLiteHistoryStore(path)

    @task
    def add(x):
        return x

    @flow
    def sums():
        add.map(list(range(20)))

    with environment(store=store):
        sums()
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


@pytest.mark.parametrize("number", sampled(range(DAMAGES + 4), 24))
def test_a_damaged_store_is_read_or_refused_by_name(tmp_path, whole, number):
    path = tmp_path / "history.db"
    path.write_bytes(list(bad_inputs.damages(whole, DAMAGES))[number])
    store = SQLiteHistoryStore(path, patience=0.1)

    @flow
    def one():
        return 1

    def look():
        store.summaries()
        for run in store.flow_runs():
            with suppress(KeyError):  # the index by id is what is damaged
                store.history(run.id)
                store.part(run.id)
            store.log_lines(run.id)

    for act in (look, store.recover, lambda: store.forget(10**12), lambda: _in(store, one)):
        try:
            act()
        except StoreError as error:
            assert str(path) in str(error)
    store.close()


def _in(store, flow):
    with environment(store=store):
        flow()


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_a_damaged_result_is_made_anew(tmp_path, serializer, caplog):
    storage = LocalResultStorage(tmp_path / "results", serializer)
    storage.write("key", StoredResult([1, 2, 3]))
    (file,) = storage.folder.glob("*.result")
    content = file.read_bytes()

    for damaged in bad_inputs.damages(content, DAMAGES):
        file.write_bytes(damaged)
        assert storage.read("key") in (None, StoredResult([1, 2, 3]))
        storage.forget(lambda key, expires: False)


def test_a_damaged_document_is_refused_by_name(whole, tmp_path, flows_home):
    path = tmp_path / "history.db"
    path.write_bytes(whole)
    store = SQLiteHistoryStore(path)
    (run,) = store.flow_runs()
    document = store.history(run.id).to_json().encode()

    for damaged in bad_inputs.damages(document, DAMAGES):
        try:
            FlowRunHistory.from_json(damaged)
        except FlowsError as error:
            assert str(error)


@pytest.mark.parametrize("name", ["home", "history", "durability", "plugins", "log_level", "interrupt_grace"])
@pytest.mark.parametrize(
    "text", ["\ud800", "\n", "x" * 10_000, "-1", "nan", "{}", ",,", "a:b:c", "/dev/null"]
)
def test_a_setting_that_cannot_be_is_named(name, text):
    try:
        read_settings({f"FLOWS_{name.upper()}": text})
    except SettingsError as error:
        assert f"FLOWS_{name.upper()}" in str(error)
