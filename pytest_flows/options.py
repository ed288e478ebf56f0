"""What can be said on the command line, each with a twin in the configuration file."""

import pytest

#: what task runner a flow has by itself
DECLARED = "declared"


def add_options(parser: pytest.Parser) -> None:
    """Add the group ``flows`` to the command line, and its twins to the configuration file."""
    group = parser.getgroup("flows", "flows and task runners")
    group.addoption(
        "--task-runner",
        metavar="NAME",
        help="run all flows under this task runner, whatever they declare: sequential, concurrent or one "
        "that a plugin brings. A flow that declares that very kind keeps its settings.",
    )
    parser.addini("task_runner", "the same as --task-runner", type="string", default="")


def chosen_names(config: pytest.Config) -> list[str]:
    """The task runners that were asked for, in order; none where each flow has its own."""
    given: str | None = config.getoption("--task-runner")
    text: str = given if given is not None else config.getini("task_runner")
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [name for name in dict.fromkeys(names) if name != DECLARED]
