"""``flows replay``."""

import os
import runpy
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def bad_night(flows, folder):
    """A run that failed of a race, which a slow bank let happen; it is quick again."""
    (folder / "slow").touch()
    assert flows("run", "night.py:night").exit_code == 1
    (folder / "slow").unlink()


@pytest.mark.slow
def test_a_failed_run_is_found_near_its_schedule_and_becomes_a_test(flows, folder, bad_night):
    shown = flows("replay", "latest", "--test", "test_night.py")

    assert "Replayed at the recorded times: Completed, and not as recorded." in shown.output
    assert "The first difference: recorded: the flow run Failed" in shown.output
    assert "Searched around it: a failure in schedule" in shown.output
    assert shown.exit_code == 0
    written = runpy.run_path("test_night.py")
    [test] = [value for name, value in written.items() if name.startswith("test_")]
    with pytest.raises(AssertionError, match="are there"):
        test()


def test_a_run_that_still_fails_is_reproduced_at_once(flows, folder):
    (folder / "slow").touch()
    flows("run", "night.py:night")

    shown = flows("replay", "latest")

    assert "Reproduced at the recorded times: Failed." in shown.output
    assert "As a test:" in shown.output
    assert shown.exit_code == 0


def test_a_run_that_completed_is_reproduced_and_nothing_is_searched(flows):
    flows("run", "night.py:fine")

    shown = flows("replay", "latest")

    assert "2 task runs. Reproduced at the recorded times: Completed." in shown.output
    assert "Searched" not in shown.output
    assert shown.exit_code == 0


def test_a_replay_leaves_no_trace_in_the_store(flows):
    flows("run", "night.py:fine")
    before = flows("ls", "--json").output

    flows("replay", "latest")

    assert flows("ls", "--json").output == before


def test_code_that_was_changed_is_named_with_the_first_difference(flows, folder):
    flows("run", "night.py:fine")
    code = (
        (folder / "night.py")
        .read_text()
        .replace("deposit.submit(deposit.submit(1, 0), 0)", "deposit.submit(1, 0)")
    )
    (folder / "night.py").write_text(code)

    shown = flows("replay", "latest")

    assert "Note: the code of flow 'fine' was changed since" in shown.output
    assert "The first difference: recorded: deposit-1 Running" in shown.output
    assert "Task runs that one of the two does not have: deposit-1" in shown.output
    assert shown.exit_code == 1


def test_with_stubs_no_task_is_called_and_the_run_ends_as_it_did(flows, folder):
    flows("run", "night.py:bills")

    shown = flows("replay", "latest", "--stub", "recorded")

    assert "Reproduced at the recorded times: Failed." in shown.output
    assert "Given what was recorded of them: 3 task runs. No task was called." in shown.output
    assert "LookupError: nobody takes 3" in shown.output
    assert "Traceback" not in shown.output  # nobody's code raised it here
    assert "As a test" not in shown.output
    assert shown.exit_code == 0
    assert (folder / "paid").read_text() == "3 3 refused "


def test_with_stubs_a_task_that_is_named_is_called(flows, folder):
    flows("run", "night.py:bills")
    code = (folder / "night.py").read_text()
    (folder / "night.py").write_text(code.replace('raise LookupError(f"nobody takes {amount}")', "pass"))

    shown = flows("replay", "latest", "--stub", "recorded", "--real", "ref*")

    assert "recorded: refuse-0 Failed at" in shown.output
    assert "replayed: refuse-0 Completed at" in shown.output
    assert "Given what was recorded of them: 2 task runs. Called: refuse-0." in shown.output
    assert "Searched" not in shown.output
    assert shown.exit_code == 1
    assert (folder / "paid").read_text() == "3 3 refused refused "


def test_with_stubs_a_task_that_fails_is_called_once_and_shown_with_its_traceback(flows, folder):
    flows("run", "night.py:bills")

    shown = flows("replay", "latest", "--stub", "recorded", "--real", "refuse")

    assert "Called: refuse-0." in shown.output
    assert 'night.py", line' in shown.output
    assert shown.output.endswith("\nLookupError: nobody takes 3\n")
    assert shown.exit_code == 0
    assert (folder / "paid").read_text() == "3 3 refused refused "


def test_with_stubs_what_is_asked_for_is_searched(flows, folder):
    flows("run", "night.py:bills")

    shown = flows("replay", "latest", "--stub", "recorded", "--search", "5")

    assert "bills failed after the first schedule" in shown.output
    assert (folder / "paid").read_text() == "3 3 refused "


def test_with_stubs_a_task_run_that_there_was_not_is_named_and_not_called(flows, folder):
    flows("run", "night.py:bills")
    code = (folder / "night.py").read_text()
    (folder / "night.py").write_text(code.replace("refuse.submit(pay", "pay.submit(pay"))

    shown = flows("replay", "latest", "--stub", "recorded")

    assert "The first difference: recorded: refuse-0 Running" in shown.output
    assert "Failed, since nothing was recorded that could stand in: pay-2." in shown.output
    assert shown.exit_code == 1
    assert (folder / "paid").read_text() == "3 3 refused "


def test_with_stubs_results_that_were_not_kept_are_named_with_what_to_do(flows, folder):
    flows("run", "night.py:fine")

    shown = flows("replay", "latest", "--stub", "recorded")

    assert "There is no stored result of deposit-0," in shown.output
    assert "persist_result=True" in shown.output
    assert "--real deposit" in shown.output
    assert shown.exit_code == 1
    assert flows("replay", "latest", "--stub", "recorded", "--real", "deposit").exit_code == 0


def test_a_secret_that_was_not_recorded_is_asked_for_and_is_not_in_the_test(flows):
    flows("run", "night.py:guarded", "--param", "password=hunter2")

    missing = flows("replay", "latest")
    given = flows("replay", "latest", "--param", "password=hunter2")

    assert "does not hold its parameters password" in missing.output
    assert "--param password=VALUE" in missing.output
    assert missing.exit_code == 1
    assert 'os.environ["PASSWORD"]' in given.output
    assert "hunter2" not in given.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nobody"], "There is no flow run 'nobody'"),
        (["latest", "--param", "n=3"], "has no parameter 'n'"),
        (["latest", "--test", "night.py"], "'night.py' is there already."),
        (["latest", "--real", "deposit"], "--real goes with --stub recorded"),
        (["latest", "--stub", "recorded", "--test", "new.py"], "--test goes without --stub"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_in_a_line(flows, arguments, complaint):
    flows("run", "night.py:fine")

    shown = flows("replay", *arguments)

    assert complaint in shown.output
    assert shown.exit_code == 1


def test_code_that_is_gone_is_named(flows, folder):
    flows("run", "night.py:fine")
    (folder / "night.py").unlink()

    shown = flows("replay", "latest")

    assert "is not here. There is no file" in shown.output
    assert shown.exit_code == 1


def test_a_store_of_a_newer_version_is_not_read(flows):
    flows("run", "night.py:fine")
    with closing(sqlite3.connect(Path(os.environ["FLOWS_HOME"]) / "history.db")) as database:
        database.execute("PRAGMA user_version = 999")

    shown = flows("replay", "latest")

    assert "999" in shown.output
    assert shown.exit_code == 1
