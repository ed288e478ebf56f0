"""The fixture ``flow_stub``: tasks that do something else for the length of a test."""

import pytest

from pytest_flows.stubs import FlowStub
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

runners = pytest.mark.parametrize("runner", [SequentialTaskRunner(), ConcurrentTaskRunner()])


@task(retries=2)
def fetch(url: str) -> str:
    raise AssertionError(f"{url} was fetched")


@task
async def fetch_async(url: str) -> str:
    raise AssertionError(f"{url} was fetched")


@flow
def fetching() -> tuple[str, str, str]:
    return fetch.submit("a").result(), fetch_async.submit("b").result(), fetch("c")


@runners
def test_a_task_returns_what_it_is_told_to(flow_stub: FlowStub, flow_runs, runner) -> None:
    flow_stub(fetch, returns="page")
    flow_stub(fetch_async, returns="other page")

    assert fetching.with_options(task_runner=runner)() == ("page", "other page", "page")
    assert flow_runs[0]["fetch-0"] == ["Pending", "Running", "Completed"]


@pytest.mark.parametrize("error", [OSError("down"), OSError])
def test_a_task_raises_what_it_is_told_to(flow_stub: FlowStub, flow_runs, error) -> None:
    flow_stub(fetch, raises=error)

    with pytest.raises(OSError):
        fetching()
    assert flow_runs[0]["fetch-0"].names.count("AwaitingRetry") == 2


@runners
def test_another_function_is_called_with_the_arguments(flow_stub: FlowStub, runner) -> None:
    flow_stub(fetch, side_effect=lambda url: f"page {url}")
    flow_stub(fetch_async, side_effect=lambda url: f"page {url}")

    assert fetching.with_options(task_runner=runner)() == ("page a", "page b", "page c")


def test_each_attempt_of_each_run_has_its_own_outcome(flow_stub: FlowStub, flow_runs) -> None:
    @flow
    def both() -> list[str]:
        return [future.result() for future in fetch.map(["a", "b"])]

    flow_stub(fetch, side_effect=[OSError("down"), "page"])

    assert both() == ["page", "page"]
    for name in ("fetch-0", "fetch-1"):
        assert flow_runs[0][name] == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]


def test_copies_with_other_options_are_stubs_too(flow_stub: FlowStub) -> None:
    flow_stub(fetch, returns="page")

    assert fetch.with_options(name="other")("a") == "page"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_stubs_reach_worker_processes(flow_stub: FlowStub, dask_cluster_factory) -> None:
    from runtime.task_runners import DaskTaskRunner

    runner = DaskTaskRunner(cluster=dask_cluster_factory(n_workers=1, processes=True))
    flow_stub(fetch, side_effect=[OSError("down"), "page"])
    flow_stub(fetch_async, returns="other page")

    assert fetching.with_options(task_runner=runner)() == ("page", "other page", "page")


def test_the_task_is_itself_again_after_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from runtime import task

        @task
        def one():
            return 1

        def test_stub(flow_stub):
            flow_stub(one, returns=2)
            flow_stub(one, returns=3)
            assert one() == 3

        def test_afterwards():
            assert one() == one.fn() == 1
        """
    )

    pytester.runpytest().assert_outcomes(passed=2)


def test_a_stub_that_makes_no_sense_is_refused(flow_stub: FlowStub) -> None:
    with pytest.raises(TypeError, match="one of returns="):
        flow_stub(fetch, returns=1, raises=OSError)
    with pytest.raises(TypeError, match="replaces tasks"):
        flow_stub(fetching)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lists nothing"):
        flow_stub(fetch, side_effect=[])
