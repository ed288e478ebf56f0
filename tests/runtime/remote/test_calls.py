"""Attempts that travel: what arrives, what comes back, and what cannot travel."""

import asyncio
import logging
import multiprocessing
import threading
import warnings
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from runtime import flow, get_run_context, get_run_logger, tags, task
from runtime.exceptions import MissingContext, NotSerializable
from runtime.hooks import hookimpl, plugins
from runtime.results import LocalResultStorage, MemoryResultStorage, result_storage
from runtime.settings import current_settings, temporary_settings
from runtime.states import Completed, Failed
from tests.runtime.remote.carrier import Carrier


@pytest.fixture(scope="module", params=["threads", "processes"])
def carrier(request):
    if request.param == "threads":
        pool = ThreadPoolExecutor(1)
    else:
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool:
        yield Carrier(pool)


@dataclass
class Box:
    content: Any


class Picky(Exception):
    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


class Locked(ValueError):
    def __init__(self, message):
        super().__init__(message)
        self.lock = threading.Lock()


class Aborted(BaseException):
    pass


@task
def add(x, y=1):
    return x + y


@task
def same(x):
    return x


def submitted(runner, a_task, *args, **kwargs):
    """The final state of one run of a task."""

    @flow(task_runner=runner)
    def one():
        future = a_task.submit(*args, **kwargs)
        future.wait()
        return 0, future

    _, future = one()
    return future.get_state()


def test_a_task_gets_its_parameters_and_returns_its_result(carrier):
    assert submitted(carrier, add, 1, y=2).result() == 3


@pytest.mark.parametrize("shape", [list, set, lambda items: {"key": tuple(items)}, lambda i: Box(list(i))])
def test_results_of_upstream_runs_stand_at_any_depth(carrier, shape):
    @flow(task_runner=carrier)
    def both():
        return same.submit(shape([add.submit(1)])).result()

    assert both() == shape([2])


def test_containers_keep_their_type(carrier):
    @flow(task_runner=carrier)
    def both():
        return same.submit(OrderedDict(a=add.submit(1))).result()

    assert both() == OrderedDict(a=2)


def test_a_task_that_is_not_importable_travels_by_value(carrier):
    offset = 10

    @task
    def shifted(x):
        return x + offset

    assert submitted(carrier, shifted, 1).result() == 11


def test_a_task_may_call_itself(carrier):
    @task
    def factorial(n):
        return 1 if n == 0 else n * factorial(n - 1)

    assert submitted(carrier, factorial, 5).result() == 120


def test_state_hooks_stay_in_the_driver(carrier):
    heard = []

    @task(on_completion=[lambda task, run, state: heard.append(state.name)])
    def hooked():
        return threading.current_thread().name

    submitted(carrier, hooked)

    assert heard == ["Completed"]


def test_an_async_task_is_awaited(carrier):
    @task
    async def later(x):
        await asyncio.sleep(0)
        return x

    assert submitted(carrier, later, 3).result() == 3


def test_a_parameter_that_cannot_travel_is_named(carrier):
    state = submitted(carrier, add, 1, y=threading.Lock())

    assert state.is_failed()
    assert "parameter 'y'" in state.message
    assert "_thread.lock" in state.message


def test_code_that_cannot_travel_is_named(carrier):
    lock = threading.Lock()

    @task
    def holding():
        with lock:
            return 1

    state = submitted(carrier, holding)

    assert state.is_failed()
    assert "code of task 'holding'" in state.message


@task
def lock():
    return threading.Lock()


@task
def generator():
    return (number for number in range(3))


@pytest.mark.parametrize(("a_task", "named"), [(lock, "_thread.lock"), (generator, "generator")])
def test_a_result_that_cannot_travel_fails_the_run_and_is_named(carrier, a_task, named):
    state = submitted(carrier, a_task)

    assert state.is_failed()
    with pytest.raises(NotSerializable, match=named):
        state.result()


def test_a_failing_result_is_not_tried_again(carrier):
    state = submitted(carrier, lock.with_options(retries=3))

    assert state.is_failed()


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (lambda: ValueError("bad"), ValueError),
        (lambda: Picky(3, "bad"), Exception),
        (lambda: Locked("bad"), ValueError),
        (lambda: UnicodeDecodeError("utf-8", b"bad", 0, 1, "bad"), ValueError),
    ],
)
def test_an_exception_keeps_its_name_its_message_and_its_base(carrier, error, caught):
    @task
    def failing():
        raise error()

    state = submitted(carrier, failing)
    raised = state.exception()

    assert state.is_failed()
    assert isinstance(raised, caught)
    assert (type(raised).__name__, str(raised)) == (type(error()).__name__, str(error()))
    assert "in failing" in str(raised.__cause__)


def test_an_exception_that_cannot_be_shown_fails_the_run(carrier):
    @task
    def failing():
        class Mute(Exception):
            def __str__(self):
                raise TypeError("no")

        raise Mute

    state = submitted(carrier, failing)

    assert state.is_failed()
    assert type(state.exception()).__name__ == "Mute"


def test_causes_in_a_circle_do_no_harm(carrier):
    @task
    def failing():
        one, two = ValueError("one"), ValueError("two")
        one.__cause__, two.__cause__ = two, one
        raise one

    assert str(submitted(carrier, failing).exception()) == "one"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
        (SystemExit(0), "Execution was aborted by Python system exit call."),
        (asyncio.CancelledError(), "Execution was cancelled by the runtime environment."),
        (GeneratorExit(), "Execution was interrupted by an unexpected exception: GeneratorExit: "),
        (Aborted("x"), "Execution was interrupted by an unexpected exception: Aborted: x"),
    ],
)
def test_whatever_is_no_exception_crashes_the_run(carrier, error, message):
    @task
    def aborting():
        raise error

    state = submitted(carrier, aborting)

    assert state.is_crashed()
    assert state.message == message


def test_endless_recursion_fails_the_run(carrier):
    @task
    def deep():
        def deeper():
            return deeper()

        return deeper()

    assert isinstance(submitted(carrier, deep).exception(), RecursionError)


def test_a_returned_state_is_adopted(carrier):
    @task
    def judged(good):
        return Completed("fine", data=3) if good else Failed("not fine")

    assert submitted(carrier, judged, True).message == "fine"
    assert submitted(carrier, judged, True).result() == 3
    assert submitted(carrier, judged, False).message == "not fine"


def test_whether_to_retry_is_asked_where_the_exception_is(carrier):
    @task(retries=3, retry_condition_fn=lambda task, run, state: isinstance(state.data, KeyError))
    def failing(kind):
        raise kind("bad")

    attempts = []

    @flow(task_runner=carrier)
    def both():
        for kind in (KeyError, ValueError):
            future = failing.submit(kind)
            future.wait()
            attempts.append(future.get_state())
        return 0

    both()

    assert [state.is_failed() for state in attempts] == [True, True]


def test_a_cached_result_is_found_on_the_worker(carrier, tmp_path):
    @task(cache_key_fn=lambda context, parameters: f"key-{parameters['x']}")
    def costly(x):
        return object.__hash__(get_run_context())

    with result_storage(LocalResultStorage(tmp_path)):
        first = submitted(carrier, costly, 1)
        second = submitted(carrier, costly, 1)

    assert second.name == "Cached"
    assert second.result() == first.result()


def test_a_result_that_is_to_be_kept_is_kept_where_the_driver_says(carrier, tmp_path):
    @task(persist_result=True)
    def costly():
        return 1

    with result_storage(LocalResultStorage(tmp_path / "here")) as storage:
        assert submitted(carrier, costly).is_completed()

    assert len(list(storage.folder.glob("*.result"))) == 1


def test_a_cache_in_the_drivers_memory_is_refused(carrier):
    @task(cache_key_fn=lambda context, parameters: "key")
    def costly():
        return 1

    with result_storage(MemoryResultStorage()):
        state = submitted(carrier, costly)

    assert state.is_failed()
    assert "LocalResultStorage" in state.message


def test_tags_settings_and_the_run_are_known_on_the_worker(carrier):
    @task(tags=["own"])
    def about():
        context = get_run_context()
        run = context.task_run
        with tags() as around:
            return run.name, run.tags, sorted(around), current_settings().interrupt_grace, context.worker

    with tags("around"), temporary_settings(interrupt_grace=1.5):
        name, of_run, around, grace, worker = submitted(carrier, about).result()

    assert name == f"about-{about.task_key}-0"
    assert (of_run, around, grace, worker) == (("around", "own"), ["around"], 1.5, "worker-1")


def test_logs_reach_the_drivers_logging_with_the_names_of_the_runs(carrier, caplog):
    caplog.set_level(logging.INFO)

    @task
    def talking():
        get_run_logger().info("number %d", 1)
        get_run_logger().debug("not this")
        try:
            raise ValueError("shown")
        except ValueError:
            get_run_logger().exception("number %d", 2)

    submitted(carrier, talking)
    records = [record for record in caplog.records if record.getMessage().startswith(("number", "not"))]

    assert [record.getMessage() for record in records] == ["number 1", "number 2"]
    assert all(record.task_run_name == f"talking-{talking.task_key}-0" for record in records)
    assert all(record.flow_run_name for record in records)
    assert "ValueError: shown" in caplog.text


def test_prints_reach_standard_output(carrier, capsys):
    @task
    def talking():
        print("one", 2, sep="-", end="!\n")

    submitted(carrier, talking)

    assert capsys.readouterr().out == "one-2!\n"


def test_prints_reach_the_log_where_asked_for(carrier, caplog, capsys):
    caplog.set_level(logging.INFO)

    @task(log_prints=True)
    def talking():
        print("one", 2)

    submitted(carrier, talking)

    assert "one 2" in [record.getMessage() for record in caplog.records]
    assert capsys.readouterr().out == ""


@task
def warn():
    warnings.warn("careful", FutureWarning, stacklevel=1)


def test_warnings_are_given_in_the_driver(carrier):
    with pytest.warns(FutureWarning, match="careful") as caught:
        submitted(carrier, warn)

    assert caught[0].filename == __file__


class Around:
    """A plugin that hears of workers' output, and has a context manager around attempts."""

    def __init__(self, value):
        self.around = [partial(announced, value)]
        self.heard = []

    @hookimpl
    def flows_around_attempts(self):
        return self.around

    @hookimpl
    def flows_worker_output(self, run, worker, text):
        self.heard.append((run.short_name, worker, text))


@contextmanager
def announced(value):
    print("before", value)
    yield
    print("after", value)


@task
def say():
    print("during")
    get_run_logger().warning("said")


def test_plugins_put_something_around_attempts_elsewhere_and_hear_what_is_said_there(carrier):
    around = Around(1)
    plugins().register(around)
    try:
        submitted(carrier, say)
    finally:
        plugins().unregister(around)

    is_elsewhere = isinstance(carrier.pool, ProcessPoolExecutor)
    texts = ["before 1\n", "during\n", "WARNING flows.task_runs: said\n", "after 1\n"]
    assert around.heard == ([("say-0", "worker-1", text) for text in texts] if is_elsewhere else [])


def test_what_cannot_travel_around_an_attempt_fails_the_run(carrier):
    around = Around(threading.Lock())
    plugins().register(around)
    try:
        state = submitted(carrier, say)
    finally:
        plugins().unregister(around)

    assert state.is_failed()
    assert "What plugins put around attempts cannot be sent" in state.message


def test_text_that_no_encoding_knows_travels(carrier):
    assert submitted(carrier, same, "\udcff").result() == "\udcff"


def test_submitting_from_a_worker_is_a_clear_error(carrier):
    @task
    def outer():
        return add.submit(1)

    state = submitted(carrier, outer)

    assert isinstance(state.exception(), MissingContext)
    assert "Run it right there" in str(state.exception())


def test_tasks_and_flows_can_be_called_on_a_worker(carrier):
    @task
    async def doubled(x):
        return 2 * x

    @flow
    def inner(x):
        return add.submit(x, 1).result()

    @flow
    async def inner_async(x):
        return x

    @task
    def outer():
        return add(1), doubled(2), inner(3), inner_async(4)

    assert submitted(carrier, outer).result() == (2, 4, 4, 4)
