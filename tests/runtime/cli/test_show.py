"""``flows show``: what is told of one flow run."""

import json

import click
import pytest

from runtime.cli.show import show
from runtime.history import FlowRunHistory

LADDER = """
from runtime import flow, task

@task
def step(x, y=0):
    return x + y

@task(retries=1)
def slip(x):
    raise ValueError(f"no rung {x}")

@flow
def part(password):
    return step.submit(1)

@flow
def ladder(n: int, api_key: str = "sesame"):
    first = step.submit(n)
    part("hunter2")
    slip.submit(first).wait()
"""


@pytest.fixture
def ladder(folder, flows):
    (folder / "ladder.py").write_text(LADDER)
    flows("run", "ladder.py:ladder", "-p", "n=3")


def test_a_run_is_shown_with_its_tasks_inputs_and_errors(flows, ladder):
    shown = flows("show", "latest").output

    assert "flow        ladder" in shown
    assert "state       Failed  1/3 states failed." in shown
    assert "parameter   n = 3" in shown
    assert "step-0  Completed" in shown
    assert "└── step-0  Completed" in shown  # in the subflow
    slip = next(line for line in shown.splitlines() if line.startswith("slip-0"))
    assert "Failed" in slip
    assert "2 attempts" in slip
    assert "<- step-0" in slip
    assert "ValueError: no rung 3" in shown


def test_secrets_are_nowhere_in_the_home(flows, ladder, flows_home):
    assert "********" in flows("show", "latest").output
    for file in flows_home.rglob("*"):
        if file.is_file():
            assert b"sesame" not in file.read_bytes()
            assert b"hunter2" not in file.read_bytes()


def test_states_are_shown_with_their_places_and_times(flows, ladder):
    shown = flows("show", "latest", "--states").output

    assert "    0" not in shown.split("step-0")[0]
    for name in ("Pending", "Running", "AwaitingRetry", "Retrying", "Failed"):
        assert name in shown[shown.index("slip-0") :]


def test_a_traceback_has_the_frames_of_the_users_code_alone(flows, ladder):
    for shown in (flows("show", "latest").output, flows("logs", "latest").output):
        assert "ladder.py" in shown[shown.index("Traceback") :]
        assert "envelope.py" not in shown


def test_as_json_it_is_the_history(flows, ladder):
    history = FlowRunHistory.from_json(flows("show", "latest", "--json").output)

    assert history["slip-0"].names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]


def test_a_run_is_found_by_its_name_and_by_the_beginning_of_its_id(flows, ladder):
    run = json.loads(flows("ls", "--json").output)

    for text in (run["name"], run["id"], run["id"][:8]):
        assert run["id"] in flows("show", text).output


@pytest.mark.parametrize("text", ["nobody", "latest", "%", "ffff"])
def test_a_run_that_there_is_not_is_an_error(flows, text):
    result = flows("show", text)

    assert result.exit_code == 1
    assert "There is no flow run" in result.output


def test_a_name_that_means_several_runs_is_an_error_that_lists_them(folder, flows):
    (folder / "same.py").write_text(
        "from runtime import flow\n@flow(flow_run_name='daily')\ndef one(): return 1\n"
    )
    for _ in range(2):
        flows("run", "same.py")

    result = flows("show", "daily")

    assert result.exit_code == 1
    assert "'daily' means 2 flow runs" in result.output


def test_many_task_runs_are_summed_up(folder, flows):
    (folder / "many.py").write_text(
        "from runtime import flow, task\n@task\ndef one(): pass\n"
        "@flow\ndef many():\n    for _ in range(205): one.submit()\n"
    )
    flows("run", "many.py")

    assert "... and 5 more" in flows("show", "latest").output
    assert "one-204" in flows("show", "latest", "--all").output


def test_names_of_runs_complete_themselves(flows, ladder):
    name = json.loads(flows("ls", "--json").output)["name"]

    completed = show.params[0].shell_complete(click.Context(show), name[:3])

    assert [item.value for item in completed] == [name]


def test_attempts_that_were_made_again_say_what_they_failed_of(flows, folder):
    (folder / "again.py").write_text(
        "from runtime import flow, task\n"
        "tried = []\n"
        "@task(retries=2)\n"
        "def third_time():\n"
        "    tried.append(1)\n"
        "    if len(tried) < 3:\n"
        "        raise ConnectionError(f'down {len(tried)}')\n"
        "@flow(retries=1)\n"
        "def again():\n"
        "    third_time()\n"
        "    if len(tried) < 4:\n"
        "        tried.append(1)\n"
        "        raise ValueError('not yet')\n"
    )
    assert flows("run", "again.py:again").exit_code == 0

    shown = flows("show", "latest").output

    for attempt in (1, 2):
        assert f"Attempt {attempt} failed, and another one follows:" in shown
        assert f"ConnectionError: down {attempt}" in shown
    assert "ValueError: not yet" in shown
    assert "down 1" in flows("logs", "latest", "--level", "error").output
