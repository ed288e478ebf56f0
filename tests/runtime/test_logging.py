"""What runs log and print."""

import builtins
import io
import logging
import os
import re
import subprocess
import sys
import textwrap
from contextvars import copy_context

import pytest

from runtime import flow, get_run_logger, task
from runtime.exceptions import MissingContext
from runtime.logging import OUTLET, prints_logged
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@pytest.mark.parametrize("runner", [SequentialTaskRunner, ConcurrentTaskRunner])
def test_a_task_may_log_its_prints_in_a_flow_that_does_not(runner, caplog, capsys):
    caplog.set_level(logging.INFO)

    @task(log_prints=True)
    def talking():
        print("one", 2)

    @flow(task_runner=runner)
    def quiet():
        print("three")
        talking.submit()

    quiet()

    assert "one 2" in [record.getMessage() for record in caplog.records]
    assert capsys.readouterr().out == "three\n"


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


def test_there_is_no_run_logger_outside_of_runs():
    with pytest.raises(MissingContext, match="There is no run here"):
        get_run_logger()


def test_what_a_run_logs_says_which_run_it_comes_from(caplog):
    caplog.set_level(logging.INFO)

    @task
    def inner():
        get_run_logger().info("in the task, %s", "of course", extra={"rows": 3})

    @flow(flow_run_name="the-run")
    def outer():
        get_run_logger().warning("in the flow")
        inner()

    outer()

    of_flow = next(record for record in caplog.records if record.getMessage() == "in the flow")
    of_task = next(record for record in caplog.records if record.getMessage() == "in the task, of course")
    assert (of_flow.name, of_flow.levelname, of_flow.flow_run_name) == (
        "flows.flow_runs",
        "WARNING",
        "the-run",
    )
    assert not hasattr(of_flow, "task_run_name")
    assert (of_task.name, of_task.flow_run_name, of_task.rows) == ("flows.task_runs", "the-run", 3)
    assert of_task.task_run_name.startswith("inner-")
    assert of_task.task_run_id != of_task.flow_run_id == of_flow.flow_run_id


@pytest.mark.parametrize(
    ("call", "logged"),
    [
        (lambda: print("one", 2), ["one 2"]),
        (lambda: print("one", 2, sep="-"), ["one-2"]),
        (lambda: print("one", 2, sep=None), ["one 2"]),
        (lambda: print(), [""]),
        (lambda: print("100%", "%s"), ["100% %s"]),
        (lambda: print("here", file=sys.stdout, flush=True), ["here"]),
    ],
)
def test_prints_of_a_flow_that_asks_for_it_are_logged_and_not_printed(call, logged, caplog, capsys):
    caplog.set_level(logging.INFO, "flows.flow_runs")

    @flow(log_prints=True, validate_parameters=False)
    def talking():
        call()

    talking()

    assert [m for m in messages(caplog) if "run" not in m] == logged
    assert capsys.readouterr().out == ""


def test_prints_to_elsewhere_are_left_alone(caplog, capsys):
    caplog.set_level(logging.INFO)
    elsewhere = io.StringIO()

    @flow(log_prints=True)
    def talking():
        print("to a file", file=elsewhere)
        print("to errors", file=sys.stderr)

    talking()

    assert elsewhere.getvalue() == "to a file\n"
    assert capsys.readouterr().err.endswith("to errors\n")
    assert "to a file" not in messages(caplog)


def test_prints_outside_of_runs_are_never_logged(caplog, capsys):
    caplog.set_level(logging.INFO)

    with prints_logged():
        print("outside")

    assert capsys.readouterr().out == "outside\n"
    assert messages(caplog) == []


def test_print_is_itself_again_when_nobody_needs_it_to_be_otherwise():
    before = builtins.print

    with prints_logged():
        with prints_logged():
            assert builtins.print != before
        assert builtins.print != before
    assert builtins.print is before


@pytest.fixture
def restored_print():
    """Puts ``print`` back, whatever a test did to it."""
    before = builtins.print
    yield before
    builtins.print = before


def test_a_print_that_somebody_put_in_meanwhile_is_left_there(restored_print):
    said = []

    with prints_logged():
        builtins.print = said.append
    print("kept")

    assert said == ["kept"]


def test_a_print_that_somebody_took_meanwhile_and_puts_back_late_does_not_call_itself(restored_print, capsys):
    with prints_logged():
        taken = builtins.print
        builtins.print = lambda *values: None
    builtins.print = taken

    with prints_logged():
        print("once")

    assert capsys.readouterr().out == "once\n"


class Collecting:
    """An outlet that keeps what is printed."""

    def __init__(self):
        self.taken = []

    def print(self, text):
        self.taken.append(text)


def test_prints_of_runs_can_be_taken_where_they_are_not_logged(capsys):
    outlet = Collecting()

    @flow
    def quiet():
        OUTLET.set(outlet)
        with prints_logged():
            print("one", 2)
            print("three", end="")

    copy_context().run(quiet)

    assert outlet.taken == ["one 2\n", "three"]
    assert capsys.readouterr().out == ""


def run_in_new_process(program, **environ):
    """What a program writes to standard error and standard output in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran


HELLO = """
    from runtime import flow, get_run_logger, task
    @task
    def hello():
        get_run_logger().debug("details")
        print("Hello!")
    @flow
    def greet():
        hello.submit()
    {before}
    greet()
"""


@pytest.mark.slow
def test_the_log_is_shown_on_standard_error_where_nobody_configured_logging():
    ran = run_in_new_process(HELLO.format(before=""))

    lines = ran.stderr.splitlines()
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} \| .*", line) for line in lines)
    assert "Beginning flow run" in lines[0]
    assert "finished in state Completed" in lines[-1]
    assert ran.stdout == "Hello!\n"


@pytest.mark.slow
def test_the_level_of_the_log_on_the_console_is_a_setting():
    assert run_in_new_process(HELLO.format(before=""), FLOWS_LOG_LEVEL="error").stderr == ""
    assert "details" in run_in_new_process(HELLO.format(before=""), FLOWS_LOG_LEVEL="debug").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    [
        "import logging; logging.getLogger().addHandler(logging.NullHandler())",
        "import logging; logging.getLogger('flows').addHandler(logging.NullHandler())",
        "import logging; logging.getLogger('flows').setLevel('CRITICAL')",
    ],
)
def test_logging_that_somebody_configured_is_left_as_it_is(before):
    assert run_in_new_process(HELLO.format(before=before)).stderr == ""


@pytest.mark.slow
def test_flows_that_begin_at_the_same_time_show_each_line_once():
    ran = run_in_new_process("""
        import logging, threading
        from runtime.logging import configure_console

        both_look = threading.Barrier(2)

        class Watched(logging.Logger):
            @property
            def level(self):
                seen = self.__dict__["level"]
                try:
                    both_look.wait(0.5)
                except threading.BrokenBarrierError:
                    pass  # the other one does not look at the same time
                return seen

            @level.setter
            def level(self, value):
                self.__dict__["level"] = value

        flows = logging.getLogger("flows")
        flows.__class__ = Watched
        threads = [threading.Thread(target=configure_console) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(flows.handlers))
    """)

    assert ran.stdout == "1\n"
