"""``flows run``: the log, the summary, the exit code."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from runtime.cli.run import run
from runtime.hooks import hookimpl, plugins

Command = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


def test_the_log_of_a_flow_is_shown_in_order(start: Start) -> None:
    process = start("run", "below/sums.py:sums", "--param", "n=1", "--task-runner", "sequential")

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0
    lines = errors.splitlines()
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d \| .+", line) for line in lines)
    assert [
        re.sub(r"'[a-z]+-[a-z]+'", "'NAME'", re.sub(r"-[0-9a-f]{8}-", "-KEY-", line[15:])) for line in lines
    ] == [
        "Beginning flow run 'NAME' for flow 'sums'...",
        "Starting task runner `SequentialTaskRunner`...",
        "adding up",
        "Submitting task run 'add-KEY-0' to task runner...",
        "Task run 'add-KEY-0' finished in state Completed(message=None, type=COMPLETED)",
        "Shutting down task runner `SequentialTaskRunner`...",
        "Flow run 'NAME' finished in state Completed(message='All states completed.', type=COMPLETED)",
    ]


def test_the_target_completes_itself_as_a_file() -> None:
    (item,) = run.params[0].shell_complete(click.Context(run), "be")

    assert (item.type, item.value) == ("file", "be")


def test_task_runs_are_summed_up_by_task_and_state(flows: Command) -> None:
    result = flows("run", "below/sums.py:mixed")

    title, *table = [line.split() for line in result.stdout.splitlines() if line.strip(" ─")]
    assert re.fullmatch(r"Flow run '[a-z]+-[a-z]+': Failed in \d+\.\d\d s", " ".join(title))
    assert table == [
        ["Task", "Completed", "Failed"],
        ["add", "1", "-"],
        ["fail", "-", "1"],
        ["all", "1", "1"],
    ]


def test_as_json_the_summary_is_all_there_is_on_standard_output(flows: Command) -> None:
    result = flows("run", "below/sums.py:sums", "--param", "n=2", "--json")

    summary = json.loads(result.stdout)
    assert (summary["flow"], summary["state"], summary["type"]) == ("sums", "Completed", "COMPLETED")
    assert (summary["parameters"], summary["task_runs"]) == ({"n": 2, "label": "x"}, {"Completed": 2})
    assert (summary["run_count"], summary["error"]) == (1, None)
    assert "label 'x'" in result.stderr
    assert json.loads(flows("ls", "--json").stdout).items() <= summary.items()


def test_as_json_a_failure_says_why(flows: Command) -> None:
    result = flows("run", "below/sums.py:mixed", "--json")

    summary = json.loads(result.stdout)
    assert result.exit_code == 1
    assert summary["error"] == "ValueError: nothing to add"
    assert summary["task_runs"] == {"Completed": 1, "Failed": 1}


def test_as_json_there_is_no_line_where_there_was_no_flow_run(flows: Command) -> None:
    result = flows("run", "below/sums.py:nowhere", "--json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no flow 'nowhere'" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "state"), [(signal.SIGINT, 130, "Crashed"), (signal.SIGTERM, 143, "Crashed")]
)
def test_as_json_a_run_that_is_told_to_stop_still_says_how_it_ended(
    start: Start, folder: Path, number: int, code: int, state: str
) -> None:
    (folder / "waits.py").write_text(
        "import sys, time\n"
        "from runtime import flow\n"
        "@flow\n"
        "def waits():\n"
        "    print('waiting', flush=True)\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
    )
    process = start("run", "waits.py", "--json")
    while "waiting" not in process.stderr.readline():
        assert process.poll() is None

    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert json.loads(output)["state"] == state


@pytest.mark.parametrize(("flow", "code"), [("sums", 0), ("later", 0), ("mixed", 1)])
def test_the_exit_code_says_whether_the_flow_completed(start: Start, flow: str, code: int) -> None:
    parameters = [] if flow == "mixed" else ["--param", "n=2"]
    process = start("run", f"below/sums.py:{flow}", *parameters)

    process.communicate(timeout=60)

    assert process.returncode == code


def test_a_failure_is_explained_by_the_users_own_lines(flows: Command, folder: Path) -> None:
    result = flows("run", "below/sums.py:mixed")

    assert [line.strip() for line in result.stderr.splitlines() if "File" in line] == [
        f'File "{folder}/below/sums.py", line 22, in mixed',
        f'File "{folder}/below/sums.py", line 11, in fail',
    ]
    assert result.stderr.endswith("ValueError: nothing to add\n")


@pytest.mark.parametrize("body", ["raise SystemExit(0)", "raise SystemExit('bye')", "raise GeneratorExit"])
def test_a_flow_that_tries_to_end_the_process_crashed(flows: Command, folder: Path, body: str) -> None:
    (folder / "ends.py").write_text(f"from runtime import flow\n@flow\ndef ends():\n    {body}\n")

    result = flows("run", "ends.py:ends")

    assert result.exit_code == 1
    assert "Crashed" in result.stdout


def test_the_task_runner_of_the_flow_can_be_chosen(flows: Command, folder: Path) -> None:
    (folder / "where.py").write_text(
        "from runtime import flow, get_run_context\n"
        "from runtime.task_runners import ConcurrentTaskRunner\n"
        "@flow(task_runner=ConcurrentTaskRunner(max_workers=2))\n"
        "def where():\n"
        "    print(get_run_context().scope.runner)\n"
    )

    assert "ConcurrentTaskRunner(max_workers=2)" in flows("run", "where.py").stdout
    assert "SequentialTaskRunner()" in flows("run", "where.py", "--task-runner", "sequential").stdout
    assert (
        "ConcurrentTaskRunner(max_workers=2)"
        in flows("run", "where.py", "--task-runner", "concurrent").stdout
    )


def test_a_task_runner_that_does_not_exist_is_named(flows: Command) -> None:
    result = flows("run", "below/sums.py:mixed", "--task-runner", "sequentail")

    assert result.exit_code == 1
    assert "There is no task runner 'sequentail', did you mean 'sequential'?" in result.stderr


def test_the_help_teaches_by_examples(flows: Command) -> None:
    group, command = flows("--help"), flows("run", "--help")

    assert "flows run examples/stdlib_census.py:census" in group.stdout
    assert "flows run etl.py:load --param day=2024-02-29 --param limit=10" in command.stdout
    assert "130" in command.stdout


def test_the_folder_of_the_file_comes_first_on_the_path_as_with_python(start: Start, folder: Path) -> None:
    source = "import sys\nprint(sys.path[0])\nfrom runtime import flow\n@flow\ndef it(): pass\n"
    (folder / "below" / "where.py").write_text(source)

    output, _ = start("run", "below/where.py:it").communicate(timeout=60)
    as_script = subprocess.run(
        [sys.executable, "below/where.py"], cwd=folder, capture_output=True, text=True, check=True
    )

    assert output.splitlines()[0] == as_script.stdout.strip()


def test_plugins_bring_commands(flows: Command) -> None:
    class Plugin:
        @hookimpl
        def flows_commands(self) -> list[click.Command]:
            return [click.Command("extra", callback=lambda: click.echo("extra work"), help="More.")]

    plugin = Plugin()
    plugins().register(plugin)
    try:
        assert flows("extra").output == "extra work\n"
        assert "extra    More." in flows("--help").output
    finally:
        plugins().unregister(plugin)


def test_a_broken_plugin_takes_no_other_command_with_it(flows: Command) -> None:
    class Plugin:
        @hookimpl
        def flows_commands(self) -> list[click.Command]:
            raise OSError("no disk")

    plugin = Plugin()
    plugins().register(plugin, "broken")
    try:
        result = flows("--help")
        assert "Run a flow." in result.stdout
        assert "the commands of plugin broken are missing: OSError('no disk')" in result.stderr
    finally:
        plugins().unregister(plugin)


def test_the_runtime_does_not_import_what_the_command_needs() -> None:
    program = "import sys, runtime; print(sorted({'click', 'rich', 'runtime.cli'} & sys.modules.keys()))"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert imported.stdout == "[]\n"
