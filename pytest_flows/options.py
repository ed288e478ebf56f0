"""What can be said on the command line, each with a twin in the configuration file."""

from collections.abc import Iterator

import pytest

from pytest_flows.leak_options import add_leak_option
from pytest_flows.simulation_options import add_simulation_options

#: what task runner a flow has by itself
DECLARED = "declared"
#: the task runner of simulations
SIMULATED = "simulated"
#: every task runner whose engine is installed
ALL = "all"


def add_options(parser: pytest.Parser) -> None:
    """Add the group ``flows`` to the command line, and its twins to the configuration file."""
    group = parser.getgroup("flows", "flows and task runners")
    group.addoption(
        "--task-runner",
        metavar="NAME[,NAME]",
        help="run all flows under this task runner, whatever they declare: sequential, concurrent, simulated "
        "or one that a plugin brings. Several, or all: once under each. A flow that declares that very kind "
        "keeps its settings.",
    )
    parser.addini("task_runner", "the same as --task-runner", type="string", default="")
    add_simulation_options(parser, group)
    add_leak_option(parser, group)
    purpose = (
        "where coverage is measured: list lines that were reached under some task runners or schedules only"
    )
    group.addoption("--flows-report", action="store_true", default=None, help=purpose)
    parser.addini("flows_report", "the same as --flows-report", type="bool", default=False)


def chosen_names(config: pytest.Config) -> list[str]:
    """The task runners that were asked for, in order; none where each flow has its own."""
    if _CHOSEN not in config.stash:
        given: str | None = config.getoption("--task-runner")
        text: str = given if given is not None else config.getini("task_runner")
        names = [name.strip() for name in text.split(",") if name.strip()]
        config.stash[_CHOSEN] = [name for name in dict.fromkeys(_expanded(names)) if name != DECLARED]
    return config.stash[_CHOSEN]


def _expanded(names: list[str]) -> Iterator[str]:
    for name in names:
        if name == ALL:
            from pytest_flows.backends import known_names

            yield from known_names()
        else:
            yield name


_CHOSEN = pytest.StashKey[list[str]]()
