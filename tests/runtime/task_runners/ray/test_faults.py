"""What goes wrong on Ray without harm to others, and the states that runs end in."""

import ctypes
import os
import re
import signal
import threading
import time

import pytest

from runtime import flow, task
from runtime.exceptions import NotSerializable
from runtime.task_runners import ConcurrentTaskRunner, DaskTaskRunner, RayTaskRunner, remote_options
from tests.runtime.task_runners.ray.conftest import states_of, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@task
def add(x, y=1):
    return x + y


@task
def same(x):
    return x


@task
def process():
    return os.getpid()


@task
def dies(ledger, how):
    ledger.write(os.getpid())
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), how)
    time.sleep(30)


@task
def waits(ledger, gate):
    ledger.write(os.getpid())
    gate.wait()
    return os.getpid()


@task
def swallows(ledger, gate):
    ledger.write(os.getpid())
    while not gate.is_open:
        try:
            gate.wait()
        except BaseException as error:
            ledger.write(type(error).__name__)


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, Odd])
def test_an_exception_that_ends_programs_ends_no_worker(ray_task_runner, error):
    @task
    def aborting():
        raise error(os.getpid())

    with remote_options(num_cpus=2):  # one at a time, so on one worker
        aborted, after = states_of(ray_task_runner, lambda: [aborting.submit(), process.submit()])

    assert aborted.is_crashed()
    assert str(after.result()) in str(aborted.exception())


@pytest.mark.parametrize("how", ["exit", signal.SIGSEGV, signal.SIGKILL])
def test_a_task_that_kills_its_worker_crashes_and_runs_once(ray_task_runner, ledger, how):
    died, after = states_of(ray_task_runner, lambda: [dies.submit(ledger, how), add.submit(1)])

    assert died.is_crashed()
    assert "died" in died.message
    assert len(ledger.lines) == 1
    assert after.is_completed()


def test_a_task_with_retries_survives_its_worker(ray_task_runner, ledger):
    @task(retries=1)
    def dies_once(ledger):
        ledger.write(os.getpid())
        if len(ledger.lines) == 1:
            os._exit(1)
        return "alive"

    (state,) = states_of(ray_task_runner, lambda: [dies_once.submit(ledger)])

    assert state.result() == "alive"
    assert len(set(ledger.lines)) == 2


def test_a_worker_killed_from_outside_crashes_its_task_and_is_named(ray_task_runner, ledger, gate):
    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        os.kill(int(ledger.lines[0]), signal.SIGKILL)
        return [future]

    (state,) = states_of(ray_task_runner, submit)

    assert state.is_crashed()
    assert f"process {ledger.lines[0]}" in state.message
    assert len(ledger.lines) == 1


def test_a_signal_that_ended_a_worker_is_named(ray_task_runner, ledger, gate):
    @task
    def crashes(ledger):
        ledger.write(os.getpid())
        gate.wait()
        ctypes.string_at(0)

    def submit():
        future = crashes.submit(ledger)
        until(lambda: future.get_state().is_running())
        gate.open()
        return [future]

    (state,) = states_of(ray_task_runner, submit)

    assert state.is_crashed()
    assert state.message.endswith("It was ended by SIGSEGV.")


def test_a_worker_that_dies_later_takes_no_result_along(ray_task_runner, ledger):
    @task
    def makes(ledger):
        ledger.write(os.getpid())
        return b"x" * 1_000_000

    @task
    def kills(process):
        os.kill(process, signal.SIGKILL)

    @task
    def length(made, killed):
        return len(made)

    @flow(task_runner=ray_task_runner)
    def result_outlives_worker():
        made = makes.submit(ledger)
        made.wait()
        if int(ledger.lines[0]) != os.getpid():
            kills.submit(int(ledger.lines[0])).wait()
        return length.submit(made, None).result()

    assert result_outlives_worker() == 1_000_000
    assert len(ledger.lines) == 1


def test_a_state_is_shown_running_with_its_worker_while_it_runs(ray_task_runner, ledger, gate, flow_runs):
    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        gate.open()
        return [future]

    (state,) = states_of(ray_task_runner, submit)

    running = next(change for change in flow_runs[-1]["waits-0"] if change.state.is_running())
    assert str(state.result()) in running.worker


def test_a_parameter_that_cannot_travel_fails_its_own_task_and_is_named(ray_task_runner):
    refused, other = states_of(ray_task_runner, lambda: [add.submit(1, threading.Lock()), add.submit(1)])

    assert refused.is_failed()
    assert "parameter 'y'" in refused.message
    assert other.result() == 2


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: (number for number in range(3)), "generator"),
        (threading.Lock, "lock"),
        (lambda: same.submit, None),
    ],
)
def test_a_result_that_cannot_travel_fails_its_task(ray_task_runner, make, named):
    @task
    def makes():
        return make()

    (state,) = states_of(ray_task_runner, lambda: [makes.submit()])

    if named is None:
        assert state.is_completed()
    else:
        with pytest.raises(NotSerializable, match=named):
            state.result()


def test_a_large_result_does_not_visit_the_driver_on_its_way(ray_task_runner):
    import psutil

    @task
    def makes():
        return bytes(200_000_000)

    @task
    def length(content):
        return len(content["inner"][0])

    @flow(task_runner=ray_task_runner)
    def sends():
        before = psutil.Process().memory_full_info().uss
        result = length.submit({"inner": [makes.submit()]}).result()
        return result, psutil.Process().memory_full_info().uss - before

    result, grown = sends()

    assert result == 200_000_000
    assert grown < 50_000_000


def test_a_large_result_can_be_asked_for_after_its_flow(ray_task_runner):
    @task
    def makes():
        return b"x" * 1_000_000

    (state,) = states_of(ray_task_runner, lambda: [makes.submit()])

    assert len(state.result()) == 1_000_000


def test_a_task_that_sits_in_c_times_out_and_frees_its_slot(ray_task_runner):
    @task(timeout_seconds=0.3)
    def sleeps():
        time.sleep(60)

    with remote_options(num_cpus=2):
        began = time.monotonic()
        timed_out, after = states_of(ray_task_runner, lambda: [sleeps.submit(), process.submit()])

    assert timed_out.name == "TimedOut"
    assert after.is_completed()
    assert time.monotonic() - began < 20


def test_a_task_that_does_not_let_itself_be_cancelled_loses_its_worker(ray_task_runner, ledger, gate):
    def submit():
        with remote_options(num_cpus=2):
            stubborn, after = swallows.submit(ledger, gate), process.submit()
        until(lambda: stubborn.get_state().is_running())
        stubborn.cancel()
        return [stubborn, after]

    stubborn, after = states_of(ray_task_runner, submit)

    assert stubborn.is_cancelled()
    assert str(after.result()) != ledger.lines[0]


def test_a_task_cancelled_while_it_is_queued_never_runs(ray_task_runner, ledger, gate):
    def submit():
        with remote_options(num_cpus=2):
            blocking, queued = waits.submit(ledger, gate), waits.submit(ledger, gate)
        until(lambda: blocking.get_state().is_running())
        queued.cancel()
        gate.open()
        return [blocking, queued]

    blocking, queued = states_of(ray_task_runner, submit)

    assert (blocking.name, queued.name) == ("Completed", "Cancelled")
    assert len(ledger.lines) == 1


def test_cancelling_what_is_over_changes_nothing(ray_task_runner):
    def submit():
        future = add.submit(1)
        future.wait()
        future.cancel()
        return [future]

    (state,) = states_of(ray_task_runner, submit)

    assert state.result() == 2


@pytest.mark.parametrize("seconds", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_a_worker_that_stands_still_for_a_while_is_waited_for(ray_task_runner, ledger, gate, seconds):
    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        worker = int(ledger.lines[0])
        os.kill(worker, signal.SIGSTOP)
        try:
            gate.open()
            assert future.wait(seconds) is None
        finally:
            os.kill(worker, signal.SIGCONT)
        return [future]

    (state,) = states_of(ray_task_runner, submit)

    assert state.is_completed()


def test_a_future_of_another_task_runner_arrives_as_its_value(ray_task_runner):
    @flow(task_runner=ConcurrentTaskRunner())
    def outer():
        return inner(add.submit(1)), inner([add.submit(2)])

    @flow(task_runner=ray_task_runner)
    def inner(value):
        return same.submit(value).result()

    assert outer() == (2, [3])


def test_two_runners_in_one_process_use_one_ray(ray_task_runner):
    @flow(task_runner=RayTaskRunner())
    def outer():
        first = process.submit()
        return inner(), first.result()

    @flow(task_runner=RayTaskRunner())
    def inner():
        return process.submit().result()

    assert all(number != os.getpid() for number in outer())


def test_dask_and_ray_in_one_process_take_each_other_s_futures(ray_task_runner):
    local = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=local))
    def on_dask():
        first = same.submit([1] * 10_000)

        @flow(task_runner=ray_task_runner)
        def on_ray():
            second = same.submit(first)
            return 0, second

        _, second = on_ray()
        return same.submit([second]).result()

    assert on_dask() == [[1] * 10_000]


def test_another_address_than_that_of_the_running_ray_crashes_the_flow(ray_task_runner):
    @flow(task_runner=RayTaskRunner(address="ray://192.0.2.255:8786"))
    def elsewhere():
        return 0

    state = elsewhere(return_state=True)

    assert state.is_crashed()
    assert "ray://192.0.2.255:8786" in state.message
    assert re.search(r"uses the Ray at 127.0.0.1:\d+ already", state.message)


def test_a_task_that_submits_tasks_is_told_where_it_can(ray_task_runner):
    @task
    def submits():
        return add.submit(1)

    (state,) = states_of(ray_task_runner, lambda: [submits.submit()])

    assert state.is_failed()
    assert "in the flow" in str(state.exception())


def test_a_hundred_thousand_lines_come_in_order_and_change_nothing(ray_task_runner, capsys):
    @task
    def talks(count):
        for number in range(count):
            print(number)
        return count

    (state,) = states_of(ray_task_runner, lambda: [talks.submit(100_000)])

    assert state.result() == 100_000
    printed = [int(line) for line in capsys.readouterr().out.splitlines() if line.isdigit()]
    assert printed == list(range(100_000))


def test_what_an_attempt_says_after_it_was_given_up_changes_nothing(ray_task_runner, ledger, gate, flow_runs):
    @task(retries=1, timeout_seconds=0.2)
    def slow_at_first(ledger):
        ledger.write(os.getpid())
        if len(ledger.lines) == 1:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                try:
                    time.sleep(0.01)
                except BaseException:
                    return "late"
        return "in time"

    (state,) = states_of(ray_task_runner, lambda: [slow_at_first.submit(ledger)])

    assert state.result() == "in time"
    assert flow_runs[-1]["slow_at_first-0"].names == [
        "Pending",
        "Running",
        "AwaitingRetry",
        "Retrying",
        "Completed",
    ]


def test_a_task_is_heard_from_even_before_ray_has_taken_it(
    ray_task_runner, ledger, gate, monkeypatch, flow_runs
):
    """The worker may be quicker than the thread that hands the task over."""
    from runtime.task_runners.ray.flights import Flights

    add_flight = Flights.add

    def add_late(self, flight):
        if flight.attempt.task_run.task_name == "short":
            until(lambda: flight.heard)
        add_flight(self, flight)

    monkeypatch.setattr(Flights, "add", add_late)

    @task(timeout_seconds=30)
    def short():
        return 1

    def submit():
        other = waits.submit(ledger, gate)  # while there is nothing under way, nobody listens
        until(lambda: other.get_state().is_running())
        futures = [short.submit(), other]
        gate.open()
        return futures

    state, _ = states_of(ray_task_runner, submit)

    assert state.result() == 1
    assert flow_runs[-1]["short-0"].names == ["Pending", "Running", "Completed"]
