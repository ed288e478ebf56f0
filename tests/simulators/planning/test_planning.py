"""Plans: recorded work on clusters of other sizes."""

import json
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime import flow, task
from runtime.cli import main
from runtime.context import environment
from runtime.history import MemoryHistoryStore
from runtime.task_runners import DaskTaskRunner
from simulators import SimulatedTaskRunner
from simulators.exceptions import SimulatorError
from simulators.planning import Piece, Work, critical_path, fewest_workers, plan


def pieces(*seconds: float) -> Work:
    return Work(tuple(Piece(f"a-{n}", work) for n, work in enumerate(seconds)))


def recorded(run, runner):
    store = MemoryHistoryStore()
    with environment(store=store):
        run.with_options(task_runner=runner)()
    return store.history(store.flow_runs()[-1].id)


@task
def work(seconds, *inputs):
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize(
    ("workers", "threads", "makespan"), [(1, 1, 6.0), (2, 1, 4.0), (1, 2, 4.0), (3, 1, 3.0)]
)
def test_each_slot_takes_the_oldest_piece_that_is_ready(workers, threads, makespan):
    planned = plan(pieces(1.0, 2.0, 3.0), workers, threads=threads)

    assert planned.makespan == makespan
    assert planned.utilisation == pytest.approx(6.0 / (makespan * workers * threads))


def test_inputs_are_waited_for_and_make_up_the_critical_path():
    work = Work((Piece("a-0", 1.0), Piece("b-0", 5.0), Piece("c-0", 3.0, (0,)), Piece("d-0", 2.0, (2, 0))))

    planned = critical_path(work)

    assert planned.makespan == 6.0
    assert [piece.name for piece in planned.chain] == ["a-0", "c-0", "d-0"]


def test_each_piece_costs_the_overhead():
    assert plan(pieces(1.0, 1.0), 1, overhead=0.5).makespan == 3.0


def test_the_fewest_workers_end_in_time_and_one_fewer_does_not():
    many = pieces(*[1.0] * 100)

    best = fewest_workers(many, 9.0)

    assert (best.workers, best.makespan) == (12, 9.0)
    assert plan(many, 11).makespan > 9.0


def test_a_deadline_below_the_critical_path_cannot_be_met():
    assert fewest_workers(pieces(5.0, 1.0), 4.9) is None


def test_slots_at_work_add_up_to_the_work():
    planned = plan(pieces(1.0, 2.5, 3.0, 0.5), 2)

    assert sum(planned.busy(7)) * planned.makespan / 7 == pytest.approx(7.0)


@pytest.mark.parametrize(
    "cluster", [{"workers": 0}, {"workers": 1, "threads": 0}, {"workers": 1, "overhead": -1.0}]
)
def test_what_is_no_cluster_is_refused(cluster):
    with pytest.raises(SimulatorError):
        plan(pieces(1.0), **cluster)


def test_a_flow_that_waits_by_hand_waits_in_plans_too():
    @flow
    def by_hand():
        first = work.submit(1.0).result()
        time.sleep(0.5)
        return [work.submit(first + 1.0), work.submit(first + 2.0)]

    planned = plan(Work.of(recorded(by_hand, SimulatedTaskRunner())), 2)

    assert planned.makespan == pytest.approx(4.5, abs=1e-3)
    assert plan(planned.work, 1).makespan == pytest.approx(6.5, abs=1e-3)


def test_tasks_that_a_task_submits_come_after_its_beginning():
    @task
    def outer():
        time.sleep(1.0)
        inner = work.submit(2.0)
        time.sleep(1.0)
        return inner.result()

    @flow
    def nested():
        outer.submit()

    planned = critical_path(Work.of(recorded(nested, SimulatedTaskRunner())))

    assert planned.began[1] == pytest.approx(1.0, abs=1e-3)


def test_the_work_of_all_attempts_counts():
    attempts = []

    @task(retries=1, retry_delay_seconds=10)
    def second_time():
        attempts.append(1)
        time.sleep(1.0)
        assert len(attempts) == 2

    @flow
    def retried():
        second_time.submit()

    assert Work.of(recorded(retried, SimulatedTaskRunner())).total == pytest.approx(2.0, abs=1e-3)


@pytest.mark.slow
def test_a_plan_is_near_what_dask_takes_on_one_two_and_four_workers(dask_cluster_factory):
    @flow
    def two_layers():
        first = [work.submit(0.1 + 0.02 * n) for n in range(6)]
        return [work.submit(0.1, *first[n : n + 2]) for n in range(5)]

    took, histories = {}, {}
    for workers in (1, 2, 4):
        cluster = dask_cluster_factory(n_workers=workers, threads_per_worker=1)
        histories[workers] = recorded(two_layers, DaskTaskRunner(cluster=cluster))
        own = histories[workers].flow_run.id
        changes = [change for change in histories[workers] if change.run.id != own]
        took[workers] = changes[-1].elapsed - changes[0].elapsed
    from_one = Work.of(histories[1])

    for workers, measured in took.items():
        planned = plan(Work(from_one.pieces), workers).makespan
        error = planned / measured - 1
        print(f"{workers} workers: planned {planned:.3f} s, took {measured:.3f} s, {error:+.1%}")
        # Tasks that wait take no less anywhere. How much longer a busy machine takes, nobody knows.
        assert planned < 1.5 * measured
    assert plan(from_one, 1).makespan > 1.5 * plan(from_one, 2).makespan


FLOW = """
import time
from runtime import flow, task

@task
def work(seconds):
    time.sleep(seconds)

@flow
def several():
    work.map([0.05, 0.05])

@flow
def nothing():
    return 1
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch):
    (tmp_path / "several.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield lambda *arguments: CliRunner().invoke(main, arguments, catch_exceptions=False)
    sys.modules.pop("several", None)


def test_the_command_shows_plans_the_critical_path_and_the_fewest_workers(flows, tmp_path):
    flows("run", "several.py:several")

    shown = flows("plan", "latest", "--workers", "2", "--deadline", "1h", "--html", "plan.html")
    document = json.loads(flows("plan", "latest", "--deadline", "1h", "--json").output)

    assert "workers    makespan  utilisation" in shown.output
    assert "Critical path, " in shown.output
    assert "For 1 h 0 min: 1 workers" in shown.output
    assert shown.exit_code == 0
    assert [plan["workers"] for plan in document["plans"]] == [1, 2]
    assert document["fewest_workers"] == 1
    page = (tmp_path / "plan.html").read_text()
    assert page.count("<svg") == 2
    assert "<!--" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_deadline_that_nobody_can_meet_is_an_error_of_the_command(flows):
    flows("run", "several.py:several")

    shown = flows("plan", "latest", "--deadline", "0s")

    assert "No number of workers ends within 0 ms" in shown.output
    assert shown.exit_code == 1


def test_a_run_without_task_runs_has_nothing_to_plan(flows):
    flows("run", "several.py:nothing")

    shown = flows("plan", "latest")

    assert "there is nothing to plan" in shown.output
    assert shown.exit_code == 1
