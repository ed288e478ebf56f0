"""``flows recover``: what it says about runs whose process is gone."""

import json
import signal

import pytest


@pytest.fixture
def orphan(folder, flows, start):
    """A flow run whose process was killed."""
    (folder / "stuck.py").write_text(
        "import sys\nfrom runtime import flow\n@flow\ndef stuck():\n"
        "    print('begun', flush=True)\n    sys.stdin.readline()\n    import time; time.sleep(60)\n"
    )
    process = start("run", "stuck.py")
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait(30)


@pytest.mark.slow
def test_a_run_that_lost_its_process_is_marked_and_named(flows, orphan):
    assert json.loads(flows("ls", "--json").output)["state"] == "Running"

    result = flows("recover")

    assert result.exit_code == 0
    assert "Crashed: flow run '" in result.output
    assert "of flow 'stuck'" in result.output
    assert json.loads(flows("ls", "--json").output)["state"] == "Crashed"


@pytest.mark.slow
def test_as_json_each_run_that_was_marked_is_a_line(flows, orphan):
    marked = json.loads(flows("recover", "--json").output)

    assert marked["flow"] == "stuck"
    assert flows("recover", "--json").output == ""


def test_where_nothing_is_lost_it_says_so(flows):
    assert flows("recover").output == "No flow run has lost its process.\n"
