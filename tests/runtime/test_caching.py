"""Results shared between runs by a key."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest

from runtime import flow, get_run_context, task
from runtime.caching import cache_key, cached, keep, task_input_hash
from runtime.context import TaskRunContext
from runtime.parameters import CallSignature
from runtime.policies import RunPolicy
from runtime.results import MemoryResultStorage, StoredResult, result_storage
from runtime.runs import TaskRun
from runtime.states import Completed
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@pytest.fixture(autouse=True)
def storage():
    with result_storage(MemoryResultStorage()) as storage:
        yield storage


def add(x, y=1):
    return x + y


def context(task_key="a087a829", *args):
    run = TaskRun(UUID(int=1), "add", task_key, 0, None)
    signature = CallSignature(add)
    return TaskRunContext(run, add, 1, 1, "w", args, {}, signature, is_async=False, log_prints=False)


def test_a_policy_without_a_key_function_has_no_key():
    assert cache_key(RunPolicy(), context(), {"x": 1}) is None


def test_the_key_function_is_asked_with_context_and_parameters():
    policy = RunPolicy(cache_key_fn=lambda c, parameters: f"{c.task_run.task_name}-{parameters['x']}")

    assert cache_key(policy, context(), {"x": 1}) == "add-1"


@pytest.mark.parametrize("key", [1, b"key", ("a",)])
def test_a_key_that_is_no_text_is_refused(key):
    policy = RunPolicy(cache_key_fn=lambda context, parameters: key)

    with pytest.raises(TypeError, match="cache_key_fn must return a string or None, not"):
        cache_key(policy, context(), {})


def test_a_result_is_used_until_it_expires():
    keep("key", "value", RunPolicy(cache_expiration=timedelta(seconds=10)), now=100.0)

    assert cached("key", now=109.9) == StoredResult("value", 110.0)
    assert cached("key", now=110.0) is None


def test_a_result_without_expiration_is_used_for_ever():
    keep("key", "value", RunPolicy(), now=100.0)

    assert cached("key", now=1e12) == StoredResult("value", None)
    assert cached("another key", now=100.0) is None


def test_a_result_that_cannot_be_kept_is_logged(flows_home, caplog):
    with result_storage(None):
        keep("key", threading.Lock(), RunPolicy(), now=100.0)

    assert "Not cached under 'key': A result of type _thread.lock cannot be kept" in caplog.text


# The key function for everybody


def key_of(*args, task_key="a087a829"):
    return task_input_hash(context(task_key, *args), {f"p{n}": arg for n, arg in enumerate(args)})


def test_the_same_task_with_the_same_parameters_has_the_same_key():
    assert key_of(1, "a") == key_of(1, "a")
    assert key_of(1, "a") != key_of("a", 1)
    assert key_of(1) != key_of(2)
    assert key_of(1) != key_of(1, task_key="ffffffff")


def test_equal_parameters_have_the_same_key_whether_or_not_they_are_one_object():
    text = "".join(["long ", "text"])
    again = "".join(["long ", "text"])

    assert key_of([text, text]) == key_of([text, again])
    assert key_of(text, text) == key_of(text, again)
    assert key_of({"a": [text], "b": [text]}) == key_of({"a": [text], "b": [again]})


def test_parameters_that_cannot_be_pickled_have_no_key():
    assert key_of(threading.Lock()) is None
    assert key_of(lambda: 1) is None


def test_one_list_held_a_million_times_over_has_a_key_in_no_time():
    shared: list = []
    for _ in range(40):
        shared = [shared, shared]

    assert key_of(shared) == key_of(shared)
    assert key_of(shared) != key_of(shared[0])


def test_something_that_holds_itself_has_a_key():
    endless: list = []
    endless.append(endless)

    assert key_of(endless) == key_of(endless)
    assert key_of(endless) != key_of([])


# In flows


@pytest.mark.parametrize("runner", [SequentialTaskRunner, ConcurrentTaskRunner])
def test_a_key_function_that_raises_is_retried_like_the_task(runner):
    def key(context, parameters):
        if get_run_context().attempt < 3:
            raise ValueError("no key yet")
        return "key"

    @task(cache_key_fn=key, retries=2)
    def compute():
        return "computed"

    @flow(task_runner=runner)
    def compute_once():
        return compute.submit().result()

    assert compute_once() == "computed"


@pytest.mark.parametrize("runner", [SequentialTaskRunner, ConcurrentTaskRunner])
def test_a_cached_result_is_found_by_later_runs_and_not_by_those_that_refresh(runner, flow_runs):
    calls = []

    @task(cache_key_fn=task_input_hash)
    def compute(x):
        calls.append(x)
        return x * 2

    @flow(task_runner=runner)
    def compute_twice():
        first = compute.submit(1).result()
        return [
            first,
            compute.submit(1).result(),
            compute.with_options(refresh_cache=True).submit(1).result(),
        ]

    assert compute_twice() == [2, 2, 2]
    assert calls == [1, 1]
    history = flow_runs[-1]
    assert history["compute-1"] == ["Pending", "Cached"]
    assert history["compute-2"] == ["Pending", "Running", "Completed"]


def test_a_state_that_a_task_returns_is_not_kept(storage):
    @task(cache_key_fn=lambda context, parameters: "key")
    def compute():
        return Completed(data=1)

    @flow
    def compute_once():
        compute()

    compute_once()

    assert storage.read("key") is None
