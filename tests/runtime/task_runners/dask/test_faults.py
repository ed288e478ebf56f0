"""What goes wrong on a Dask cluster, and the states that runs end in."""

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from runtime import flow, task
from runtime.exceptions import CrashedRun, NotSerializable
from runtime.task_runners import ConcurrentTaskRunner, DaskTaskRunner, get_dask_client
from tests.runtime.task_runners.dask.conftest import expected_time

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@task
def add(x, y=1):
    return x + y


@task
def noted(ledger, value=None):
    ledger.write(f"{os.getpid()}")
    return value


@task
def dies(ledger, how):
    ledger.write(f"{os.getpid()}")
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), how)
    time.sleep(30)


@task
def waits(ledger, gate):
    ledger.write(f"{os.getpid()}")
    gate.wait()
    return os.getpid()


def until(condition, limit=30):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def states_of(runner, submit):
    """The final states of what ``submit`` submits and returns, and the state of the flow."""

    @flow(task_runner=runner)
    def runs():
        futures = submit()
        for future in futures:
            future.wait()
        return 0, futures

    state = runs(return_state=True)
    return [future.get_state() for future in state.result()[1]]


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, Odd])
def test_an_exception_that_ends_programs_ends_no_worker(processes, error):
    @task
    def aborting():
        raise error("x")

    workers = set(processes.scheduler_info["workers"])
    aborted, after = states_of(DaskTaskRunner(cluster=processes), lambda: [aborting.submit(), add.submit(1)])

    assert aborted.is_crashed()
    assert after.result() == 2
    assert set(processes.scheduler_info["workers"]) == workers


@pytest.mark.parametrize(
    ("how", "told"),
    [("exit", "exited with status 3"), (signal.SIGSEGV, "by signal 11"), (signal.SIGKILL, "by signal 9")],
)
def test_a_task_that_kills_its_worker_crashes_and_runs_once(doomed, ledger, no_process_left, how, told):
    died, after = states_of(doomed(), lambda: [dies.submit(ledger, how), add.submit(1)])

    assert died.is_crashed()
    assert told in died.message
    assert "tcp://127.0.0.1" in died.message
    assert len(ledger.lines) == 1
    assert after.is_completed() or after.is_crashed()  # it may have been on the same worker


def test_a_task_with_retries_survives_its_worker(doomed, ledger, no_process_left):
    @task(retries=1)
    def dies_once(ledger):
        ledger.write(f"{os.getpid()}")
        if len(ledger.lines) == 1:
            os._exit(1)
        return "alive"

    (state,) = states_of(doomed(), lambda: [dies_once.submit(ledger)])

    assert state.result() == "alive"
    assert len(set(ledger.lines)) == 2


def test_a_worker_killed_from_outside_crashes_its_task(doomed, ledger, gate):
    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        os.kill(int(ledger.lines[0]), signal.SIGKILL)
        return [future]

    (state,) = states_of(doomed(), submit)

    assert state.is_crashed()
    assert len(ledger.lines) == 1


def test_a_finished_task_does_not_run_again_when_its_result_is_lost(doomed, ledger):
    @task
    def large(ledger):
        ledger.write(f"{os.getpid()}")
        return os.urandom(100_000)

    @flow(task_runner=doomed())
    def loses():
        future = large.submit(ledger)
        future.wait()
        os.kill(int(ledger.lines[0]), signal.SIGKILL)
        until(lambda: future.get_state().data.sent.is_dead)
        downstream = add.submit(future)
        with pytest.raises(CrashedRun, match="was lost"):
            future.result()
        return downstream.wait()

    downstream = loses(return_state=True).data

    assert downstream.is_crashed()
    assert "was lost" in downstream.message
    assert len(ledger.lines) == 1


def test_a_small_result_outlives_its_worker(doomed, ledger):
    @flow(task_runner=doomed())
    def loses():
        future = noted.submit(ledger, 5)
        future.wait()
        os.kill(int(ledger.lines[0]), signal.SIGKILL)
        until(lambda: future.get_state().data.sent.is_dead)
        return future.result(), add.submit(future).result()

    assert loses() == (5, 6)
    assert len(ledger.lines) == 1


def test_a_second_start_is_noticed_where_the_scheduler_takes_no_plugin(command_line, ledger, gate, caplog):
    blocked = {"DASK_DISTRIBUTED__SCHEDULER__BLOCKED_HANDLERS": "['register_scheduler_plugin']"}
    address, _ = command_line(n_workers=2, environment={**os.environ, **blocked})

    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        os.kill(int(ledger.lines[0]), signal.SIGKILL)
        return [future]

    (state,) = states_of(DaskTaskRunner(address=address), submit)

    assert state.is_crashed()
    assert "a second time" in state.message
    assert "a second time" in caplog.text
    assert len(ledger.lines) == 2


def test_a_scheduler_that_dies_crashes_all_that_is_open(command_line, ledger, gate):
    address, started = command_line()

    @flow(task_runner=DaskTaskRunner(address=address))
    def orphaned():
        running, waiting = waits.submit(ledger, gate), add.submit(1)
        until(lambda: running.get_state().is_running())
        started[0].kill()
        states = [running.wait(), waiting.wait()]
        return [*states, add.submit(2).wait()]

    with expected_time(30):
        state = orphaned(return_state=True)

    assert state.is_failed()
    assert [each.is_crashed() for each in state.data] == [True, True, True]
    assert "scheduler" in state.data[0].message


def test_what_cannot_travel_fails_its_own_run_alone(processes):
    @task
    def lock():
        return threading.Lock()

    argument, result, fine = states_of(
        DaskTaskRunner(cluster=processes),
        lambda: [add.submit(threading.Lock()), lock.submit(), add.submit(1)],
    )

    assert argument.is_failed()
    assert "parameter 'x'" in argument.message
    assert isinstance(result.exception(), NotSerializable)
    assert fine.result() == 2


def test_a_task_that_takes_too_much_memory_crashes(ledger, no_process_left):
    @task
    def hungry(ledger):
        ledger.write(f"{os.getpid()}")
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1_000_000) * 20))
            time.sleep(0.02)

    runner = DaskTaskRunner(
        cluster_kwargs={
            "n_workers": 1,
            "threads_per_worker": 1,
            "memory_limit": "400MiB",
            "dashboard_address": "127.0.0.1:0",
        }
    )

    (state,) = states_of(runner, lambda: [hungry.submit(ledger)])

    assert state.is_crashed()
    assert "memory budget" in state.message
    assert len(ledger.lines) == 1


def nap(seconds):
    time.sleep(seconds)


def busy(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


@pytest.mark.parametrize("how", [nap, busy], ids=["in C", "in Python"])
def test_a_timeout_frees_the_slot(one_slot, how):
    late = task(timeout_seconds=0.3)(how)

    with expected_time(30):
        timed_out, after = states_of(
            DaskTaskRunner(cluster=one_slot), lambda: [late.submit(60), add.submit(1)]
        )

    assert timed_out.name == "TimedOut"
    assert after.result() == 2


class CancelsOnTheWay:
    """An argument that has its task run cancelled while it is packed."""

    future = None

    def __reduce__(self):
        if self.future is None:
            raise ValueError("not yet")
        self.future.cancel()
        return int, ()


@task
def stays(ledger, *others):
    ledger.write(f"{os.getpid()}")
    while True:
        time.sleep(0.01)


def nothing_runs(cluster):
    return not any(worker.state.executing for worker in cluster.workers.values())


def test_a_task_that_is_cancelled_while_it_is_sent_is_stopped(threads, ledger, gate):
    def submit():
        argument = CancelsOnTheWay()
        future = stays.submit(ledger, waits.submit(ledger, gate), argument)
        argument.future = future
        gate.open()
        return [future]

    (state,) = states_of(DaskTaskRunner(cluster=threads), submit)

    assert state.is_cancelled()
    until(lambda: nothing_runs(threads))


def test_a_flow_run_stays_until_the_slots_of_what_it_cancelled_are_free(threads, ledger):
    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def changes_its_mind():
        future = stays.submit(ledger)
        until(lambda: ledger.lines)
        future.cancel()

    changes_its_mind(return_state=True)

    until(lambda: nothing_runs(threads))


@pytest.mark.parametrize("how", [nap, busy], ids=["in C", "in Python"])
def test_cancelling_a_running_task_frees_the_slot(one_slot, how):
    def submit():
        running, waiting = task(how).submit(60), add.submit(1)
        until(lambda: running.get_state().is_running())
        running.cancel()
        return [running, waiting]

    with expected_time(30):
        cancelled, after = states_of(DaskTaskRunner(cluster=one_slot), submit)

    assert cancelled.is_cancelled()
    assert after.result() == 2


def test_a_cancelled_task_that_waits_for_a_slot_never_runs(one_slot, ledger, gate):
    def submit():
        running, waiting = waits.submit(ledger, gate), noted.submit(ledger)
        until(lambda: running.get_state().is_running())
        waiting.cancel()
        until(lambda: not any(key.startswith("noted") for key in one_slot.scheduler.tasks))
        gate.open()
        return [running, waiting]

    ran, cancelled = states_of(DaskTaskRunner(cluster=one_slot), submit)

    assert ran.is_completed()
    assert cancelled.is_cancelled()
    assert len(ledger.lines) == 1


@contextmanager
def stopped(pid):
    """The process stands still for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("seconds", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_a_worker_that_is_stopped_for_a_while_goes_on(doomed, ledger, gate, seconds):
    def submit():
        future = waits.submit(ledger, gate)
        until(lambda: future.get_state().is_running())
        with stopped(int(ledger.lines[0])):
            gate.open()
            assert future.wait(seconds) is None
        return [future]

    (state,) = states_of(doomed(), submit)

    assert state.is_completed()
    assert len(ledger.lines) == 1


def test_what_a_stopped_worker_says_too_late_changes_nothing(doomed, ledger, gate, observe):
    @flow(task_runner=doomed(n_workers=1))
    def gives_up():
        late = waits.with_options(timeout_seconds=1).submit(ledger, gate)
        until(lambda: late.get_state().is_running())
        with stopped(int(ledger.lines[0])):
            gate.open()
            late.wait()
        return add.submit(1).result()

    observed = observe(gives_up)

    assert observed.result == 2
    assert observed.history["waits-0"].names == ["Pending", "Running", "TimedOut"]
    assert len(ledger.lines) == 1


def test_tasks_can_use_dask_themselves_on_a_single_slot(one_slot):
    @task
    def sums():
        with get_dask_client() as client:
            return client.submit(sum, [1, 2, 3]).result()

    with expected_time(30):
        (state,) = states_of(DaskTaskRunner(cluster=one_slot), lambda: [sums.submit()])

    assert state.result() == 6


def test_futures_of_another_runner_arrive_as_values(threads, processes):
    @flow(task_runner=DaskTaskRunner(cluster=threads))
    def inner(future):
        return add.submit(future).result()

    @flow(task_runner=ConcurrentTaskRunner())
    def local():
        return 0, add.submit(10)

    @flow(task_runner=DaskTaskRunner(cluster=processes))
    def outer():
        _, elsewhere = local()
        return inner(add.submit(1)), add.submit(elsewhere).result()

    assert outer() == (3, 12)


def test_a_large_result_of_another_cluster_is_waited_for(threads, processes, gate):
    @task
    def large(gate):
        gate.wait()
        return bytes(10_000)

    @flow(task_runner=DaskTaskRunner(cluster=processes))
    def outer():
        elsewhere = large.submit(gate)

        @flow(task_runner=DaskTaskRunner(cluster=threads))
        def inner():
            length = task(len).submit(elsewhere)
            gate.open()
            return length.result()

        return inner()

    assert outer() == 10_000


def test_threads_and_processes_that_a_task_leaves_behind_are_named(processes, gate, caplog):
    @task
    def litters(gate):
        threading.Thread(target=gate.wait, name="forgotten").start()
        return subprocess.Popen(["sleep", "60"]).pid

    ended, clean = states_of(DaskTaskRunner(cluster=processes), lambda: [litters.submit(gate), add.submit(1)])
    gate.open()
    os.kill(ended.result(), signal.SIGKILL)

    (told,) = [record for record in caplog.records if "left behind on its worker" in record.getMessage()]
    assert clean.is_completed()
    assert told.getMessage().startswith("Task run 'litters-")
    assert "thread 'forgotten'" in told.getMessage()
    assert f"process {ended.result()} (" in told.getMessage()
