"""The reference names everything that there is."""

import re
from pathlib import Path

import click
import pytest

import pytest_flows
import runtime
from runtime.cli import main
from runtime.flows import FlowOptions
from runtime.settings import Settings
from runtime.states import StateType
from runtime.tasks import TaskOptions

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def missing(page: str, names):
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]


@pytest.mark.parametrize("options", [FlowOptions, TaskOptions])
def test_all_options_are_in_the_reference(options):
    assert missing("options.md", options.__annotations__) == []


def test_all_public_names_of_the_runtime_are_in_the_reference():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))

    assert [name for name in runtime.__all__ if not re.search(rf"\b{name}\b", pages)] == []


def test_all_types_of_states_are_in_the_reference():
    assert missing("states.md", [kind.value for kind in StateType]) == []


def test_all_settings_are_in_the_reference():
    assert missing("settings.md", [f"FLOWS_{field.upper()}" for field in Settings.__dataclass_fields__]) == []


def test_all_commands_and_their_options_are_in_the_reference():
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    options = [
        next(text for text in option.opts if text.startswith("--"))
        for command in commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    ]

    assert missing("command-line.md", [*(f"flows {name}" for name in commands), *options]) == []


def test_all_that_the_plugin_offers_is_in_the_reference(pytester):
    shown = pytester.runpytest("--help").stdout.str()
    group = shown[shown.index("flows and task runners:") :].split("\n\n")[0]
    options = re.findall(r"^  (--[\w-]+)", group, re.MULTILINE)

    shown = pytester.runpytest("--fixtures").stdout.str()
    ours = shown[shown.index("fixtures defined from pytest_flows.fixtures") :].split("\n-----")[0]
    fixtures = re.findall(r"^(\w+) (?:\[.*\] )?-- ", ours, re.MULTILINE)

    assert "--task-runner" in options
    assert "flow_runs" in fixtures
    assert missing("pytest.md", [*options, *fixtures, *pytest_flows.__all__]) == []
