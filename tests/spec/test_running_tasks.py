"""The specification's examples of running tasks: submitted, one after the other, and concurrently."""

import re
from threading import Barrier
from types import SimpleNamespace

FLOORS = range(10, 0, -1)


def test_a_submitted_task_runs_in_a_task_runner(run_block, capsys, flow_runs):
    block = run_block("submit")

    block.run_with_task_runner()

    assert capsys.readouterr().out == "I'm running in a task runner!\n"
    assert flow_runs[-1]["task-0"].names == ["Pending", "Running", "Completed"]


def test_a_sequential_elevator_stops_at_each_floor_in_order(run_block, capsys):
    block = run_block("sequential_elevator")

    block.elevator()

    assert capsys.readouterr().out.splitlines() == [f"elevator stops on floor {n}" for n in range(1, 10)]


def test_a_concurrent_elevator_is_on_its_way_to_all_floors_at_once(run_block, capsys):
    block = run_block("concurrent_elevator")
    all_moving = Barrier(len(FLOORS))
    # Nobody sleeps for seconds here: a sleep ends as soon as all tasks are asleep at the same time.
    block.elevator.fn.__globals__["time"] = SimpleNamespace(sleep=lambda _: all_moving.wait(timeout=30))

    state = block.elevator(return_state=True)

    # Many print at the same time, and `print` writes the end of a line by itself.
    lines = re.findall(r"elevator \w+ \w+ floor \d+", capsys.readouterr().out)
    assert state.is_completed()
    assert set(lines[:10]) == {f"elevator moving to floor {n}" for n in FLOORS}
    assert set(lines[10:]) == {f"elevator stops on floor {n}" for n in FLOORS}


def test_the_glass_tower_is_visited_from_floor_one_to_floor_38(run_block, capsys, flow_runs):
    run_block("glass_tower")

    lines = capsys.readouterr().out.splitlines()
    floors = [line.removeprefix("elevator stops on ").split(" which is ") for line in lines]
    assert [int(floor) for floor, _ in floors] == list(range(1, 39))
    assert {situation for _, situation in floors} <= {"on fire", "clear"}
    assert flow_runs[-1].flow_run.flow_name == "towering-infernflow"
