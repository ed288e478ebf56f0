"""The fixture ``flow_runs``: what happened in a test."""

import threading

import pytest

from pytest_flows.flow_runs import FlowRuns
from runtime import flow, task
from runtime.exceptions import AmbiguousRunName


@task
def add(a: int, b: int) -> int:
    return a + b


@flow
def sums(n: int) -> list[int]:
    return [add.submit(i, 1).result() for i in range(n)]


@flow
def nothing() -> None:
    pass


def test_histories_come_oldest_first(flow_runs: FlowRuns) -> None:
    nothing()
    sums(2)

    assert [history.flow_run.flow_name for history in flow_runs] == ["nothing", "sums"]
    assert flow_runs[-1]["add-1"] == ["Pending", "Running", "Completed"]
    assert flow_runs[0:1] == [flow_runs[0]]


def test_a_history_is_found_by_the_name_of_its_flow_or_run(flow_runs: FlowRuns) -> None:
    nothing()
    sums(1)

    history = flow_runs["sums"]

    assert history.flow_run == flow_runs[1].flow_run
    assert flow_runs[history.flow_run.name] == history
    assert flow_runs[history.flow_run.id] == history


def test_only_runs_of_this_test_are_there(flow_runs: FlowRuns) -> None:
    assert len(flow_runs) == 0
    assert repr(flow_runs) == "<FlowRuns: no flows>"


def test_runs_of_other_threads_are_there(flow_runs: FlowRuns) -> None:
    thread = threading.Thread(target=nothing)
    thread.start()
    thread.join()

    assert len(flow_runs) == 1


def test_the_text_of_runs_says_what_ran_and_how_it_ended(flow_runs: FlowRuns) -> None:
    sums(3)

    run = flow_runs[0].flow_run
    assert repr(flow_runs) == f"<FlowRuns: sums '{run.name}' Completed (3 task runs)>"


def test_asking_for_what_did_not_run_says_what_did(flow_runs: FlowRuns) -> None:
    sums(0)

    with pytest.raises(KeyError, match="No flow run is called 'sum'; this test ran sums '"):
        flow_runs["sum"]
    with pytest.raises(IndexError, match="There is no flow run 1; this test ran sums '"):
        flow_runs[1]


def test_a_name_of_several_runs_has_to_be_told_apart(flow_runs: FlowRuns) -> None:
    nothing()
    nothing()

    with pytest.raises(AmbiguousRunName, match="'nothing' fits 2 flow runs"):
        flow_runs["nothing"]
