"""Where other packages plug in."""

import subprocess
import sys

import pytest

from runtime import flow, task
from runtime.hooks import ENTRY_POINT_GROUP, hookimpl, plugins
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@pytest.fixture
def plug_in():
    """Plug something in for the length of a test."""
    registered = []

    def register(plugin):
        plugins().register(plugin)
        registered.append(plugin)

    yield register
    for plugin in registered:
        plugins().unregister(plugin)


@task
def add(x, y):
    return x + y


@flow
def sums():
    return add.submit(1, 2).result()


class Listener:
    def __init__(self):
        self.heard = []

    @hookimpl
    def flows_state_change(self, change):
        self.heard.append((change.run.short_name, change.state.name, change.index))


def test_a_plugin_hears_of_every_state_change_once(plug_in):
    listener = Listener()
    plug_in(listener)

    assert sums() == 3

    assert sorted(listener.heard, key=lambda heard: heard[2]) == [
        ("sums-0", "Pending", 0),
        ("sums-0", "Running", 1),
        ("add-0", "Pending", 2),
        ("add-0", "Running", 3),
        ("add-0", "Completed", 4),
        ("sums-0", "Completed", 5),
    ]


@pytest.mark.parametrize("error", [ValueError("deaf"), KeyError()])
def test_a_plugin_that_raises_is_heard_of_and_changes_nothing(plug_in, caplog, flow_runs, error):
    class Deaf:
        @hookimpl
        def flows_state_change(self, change):
            raise error

    plug_in(Deaf())

    assert sums() == 3

    assert flow_runs[-1]["add-0"] == ["Pending", "Running", "Completed"]
    complaints = [record for record in caplog.records if "A plugin failed to hear of" in record.getMessage()]
    assert len(complaints) == 6
    assert complaints[0].exc_info[1] is error


def test_a_plugin_that_is_gone_hears_no_more(plug_in):
    listener = Listener()
    plugins().register(listener)
    plugins().unregister(listener)

    sums()

    assert listener.heard == []


def test_a_plugin_may_choose_the_task_runner(plug_in):
    asked = []

    class Chooser:
        @hookimpl
        def flows_select_task_runner(self, flow, declared):
            asked.append((flow, declared))
            return SequentialTaskRunner() if flow == "chosen" else None

    plug_in(Chooser())

    def runner_of(flow_name):
        seen = []

        @flow(name=flow_name, task_runner=ConcurrentTaskRunner(max_workers=2))
        def any_flow():
            from runtime import get_run_context

            seen.append(get_run_context().scope.runner)

        any_flow()
        return seen[0]

    assert runner_of("chosen") == SequentialTaskRunner()
    assert runner_of("another") == ConcurrentTaskRunner(max_workers=2)
    assert ("another", ConcurrentTaskRunner(max_workers=2)) in asked


def test_a_hook_that_does_not_exist_is_an_error_for_whoever_writes_it(plug_in):
    class Misspelled:
        @hookimpl
        def flows_state_changed(self, change):
            pass

    plugin = Misspelled()
    plug_in(plugin)

    with pytest.raises(Exception, match="unknown hook 'flows_state_changed'"):
        plugins().check_pending()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module", "ModuleNotFoundError"),
        ("runtime.hooks:nothing", "AttributeError"),
        (":", "ValueError"),
    ],
)
def test_a_plugin_of_the_environment_that_is_not_there_is_named(name, why):
    program = (
        "from runtime import flow\n@flow\ndef empty(): pass\n"
        "for _ in range(2):\n"
        "    try: empty()\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"FLOWS_PLUGINS": name},
        capture_output=True,
        text=True,
        check=True,
    )

    first, second = ran.stdout.splitlines()
    assert first == second
    assert first.startswith(f"SettingsError FLOWS_PLUGINS: {name!r} cannot be plugged in: {why}")


def test_plugins_are_found_by_the_entry_points_of_installed_packages():
    assert ENTRY_POINT_GROUP == "flows"
    assert plugins() is plugins()
