"""What the command line and the configuration file say about simulations."""

from dataclasses import dataclass
from typing import Any

import pytest

#: option, how it is read, and what it is for
_OPTIONS = (
    ("schedules", int, "N", "how many schedules a simulated test tries"),
    ("seed", int, "N", "where the chance of simulated tests comes from"),
    (
        "strategy",
        str,
        "NAME",
        "how simulated tests search: portfolio, random, pct, pos, guided, exhaustive, dpor ...",
    ),
    ("points", str, "LEVEL", "where simulated code may switch: declared, operations, statements, accesses"),
    ("replay", str, "SCHEDULE", "run simulated tests under this schedule only, as a failure printed it"),
)


def add_simulation_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add ``--flows-schedules`` and its like, each with its twin."""
    for name, read, metavar, purpose in _OPTIONS:
        group.addoption(f"--flows-{name}", type=read, metavar=metavar, help=purpose)
        parser.addini(f"flows_{name}", f"the same as --flows-{name}", type="string", default="")


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """The command line leads over what a test says, and a test over the configuration file."""

    command_line: dict[str, Any]
    configured: dict[str, Any]

    @classmethod
    def of(cls, config: pytest.Config) -> "SimulationOptions":
        """What this session was started with. Raises ``pytest.UsageError``."""
        command_line = {name: config.getoption(f"--flows-{name}") for name, *_ in _OPTIONS}
        configured: dict[str, Any] = {}
        for name, read, _, _ in _OPTIONS:
            text: str = config.getini(f"flows_{name}")
            try:
                configured[name] = read(text) if text else None
            except ValueError as error:
                raise pytest.UsageError(f"flows_{name} = {text}: {error}") from error
        return cls(command_line, configured)

    @property
    def replay(self) -> str | None:
        """The schedule to replay in place of a search."""
        return self.command_line["replay"] or self.configured["replay"]

    def over(self, **said: Any) -> dict[str, Any]:
        """What counts, given what the test itself says; what nobody says is left out."""
        counts = {
            name: next(
                (v for v in (self.command_line[name], value, self.configured[name]) if v is not None), None
            )
            for name, value in said.items()
        }
        return {name: value for name, value in counts.items() if value is not None}
