"""The specification's examples of futures: results, states, waiting, and the order of tasks."""

import threading

import pytest

from runtime import task
from runtime.states import Completed


@task
def my_task():
    return "I'm a task!"


@task
def my_failing_task():
    raise ValueError("no floor 13")


def final_states(flow_runs):
    """The names of all task runs of the latest flow run, with the states that they ended in."""
    history = flow_runs[-1]
    return {run.short_name: history[run.id].names[-1] for run in history.task_runs}


def test_submit_gives_a_future(run_block, capsys):
    block = run_block("type_of_a_future")

    block.hello_world()

    assert capsys.readouterr().out == ("variable 'future' is type <class 'runtime.futures.PrefectFuture'>\n")


def test_a_future_passed_to_a_task_arrives_as_its_result(run_block, capsys, flow_runs):
    block = run_block("passing_a_future")

    block.hello_world()

    assert capsys.readouterr().out == "<class 'str'>\nHello Marvin!\n"
    assert flow_runs[-1].flow_run.flow_name == "hello-flow"


def test_result_waits_for_the_result(run_block, flow_runs):
    block = run_block("result", my_task=my_task)

    block.my_flow()

    assert final_states(flow_runs) == {"my_task-0": "Completed"}


def test_result_raises_what_the_task_raised(run_block):
    block = run_block("result", my_task=my_failing_task)

    with pytest.raises(ValueError, match="no floor 13"):
        block.my_flow()


def test_a_task_that_is_called_returns_its_result_so_there_is_no_future_to_ask(run_block):
    block = run_block("raise_on_failure", changes={"my_task()": "my_task('Marvin')"})

    with pytest.raises(AttributeError, match="'str' object has no attribute 'result'"):
        block.my_flow()


def test_a_failure_can_be_looked_at_instead_of_raised(run_block):
    block = run_block(
        "raise_on_failure",
        changes={
            "my_task()": "my_task.submit('Marvin')",
            'return "I\'m a task!"': "raise ValueError(name)",
            "# `result` is an exception! handle accordingly": "return repr(result)",
        },
    )

    assert block.my_flow() == "ValueError('Marvin')"


def test_a_result_is_the_expected_value_where_nothing_failed(run_block):
    block = run_block(
        "raise_on_failure",
        changes={
            "my_task()": "my_task.submit('Marvin')",
            "# `result` is the expected return value of our task": "return result",
        },
    )

    assert block.my_flow() == "I'm a task!"


def test_get_state_does_not_wait(run_block):
    go_on = threading.Event()
    block = run_block(
        "get_state",
        my_task=task(name="my-task")(lambda: go_on.wait(30)),
        changes={"state = future.get_state()": "return future.get_state().is_final(), go_on.set()"},
        go_on=go_on,
    )

    assert block.my_flow()[0] is False


def test_wait_gives_the_final_state(run_block):
    block = run_block(
        "wait", my_task=my_task, changes={"final_state = future.wait()": "return [future.wait()]"}
    )

    assert block.my_flow() == [Completed()]


def test_wait_with_a_timeout_gives_a_state_where_the_task_is_done_in_time(run_block):
    block = run_block(
        "wait_with_a_timeout",
        my_task=my_task,
        changes={"result = final_state.result()": "return final_state.result()"},
    )

    assert block.my_flow() == "I'm a task!"


def test_wait_with_a_timeout_gives_none_where_the_task_still_runs(run_block):
    go_on = threading.Event()
    block = run_block(
        "wait_with_a_timeout",
        my_task=task(name="my-task")(lambda: go_on.wait(30)),
        changes={"wait(1)": "wait(0.01)", "... # Task": "go_on.set(); return 'still running' # Task"},
        go_on=go_on,
    )

    assert block.my_flow() == "still running"


def test_wait_for_orders_tasks_that_share_no_data(run_block, flow_runs):
    block = run_block("wait_for")

    block.my_flow()

    history = flow_runs[-1]
    ended = {name: history[f"task_{name}-0"][-1].index for name in "abcd"}
    began = {name: history[f"task_{name}-0"][1].index for name in "abcd"}
    assert max(ended["a"], ended["b"]) < began["c"]
    assert ended["c"] < began["d"]


def test_a_flow_of_tasks_alone_knows_what_each_task_needs(run_block, flow_runs):
    block = run_block("only_tasks")

    block.hello_world()

    hello, nice_to_meet_you = flow_runs[-1].task_runs
    assert [each.task_run for each in nice_to_meet_you.inputs] == [hello.id]


def test_a_flow_of_functions_alone_tracks_no_calls(run_block, flow_runs):
    block = run_block("only_functions", changes={"nice_to_meet_you = ": "return "})

    assert block.hello_world() == "Hello Marvin! Nice to meet you :)"
    assert flow_runs[-1].task_runs == []


def test_a_plain_function_has_no_submit(run_block):
    block = run_block("tasks_and_functions")

    with pytest.raises(AttributeError, match="'function' object has no attribute 'submit'"):
        block.hello_world()


def test_tasks_and_functions_mix_by_results_which_leave_no_trace_of_where_they_come_from(
    run_block, flow_runs
):
    block = run_block(
        "tasks_and_functions",
        changes={
            "say_hello_extra_nicely_to_marvin.submit(hello)": "say_hello_extra_nicely_to_marvin(hello)",
            "nice_to_meet_you = say_nice_to_meet_you.submit(special_greeting)": (
                "return say_nice_to_meet_you.submit(special_greeting).result()"
            ),
        },
    )

    assert block.hello_world() == "HI MARVIN! Nice to meet you :)"
    assert [run.inputs for run in flow_runs[-1].task_runs] == [(), ()]


def test_asking_for_a_result_holds_the_flow_up(run_block, capsys, flow_runs):
    block = run_block("result_blocks")

    block.hello_world()

    history = flow_runs[-1]
    assert capsys.readouterr().out == "Doing lots of important stuff!\n"
    assert history["say_hello-0"][-1].index < history["do_important_stuff-0"][0].index
