"""The commands that the simulators bring to ``flows``. Each is imported when it is first asked for."""

from importlib import import_module
from typing import Any

from runtime.hooks import hookimpl

_COMMANDS = ("plan", "replay")


@hookimpl
def flows_commands() -> list[Any]:
    """``flows plan`` and ``flows replay``."""
    return [getattr(import_module(f"simulators.cli.{name}"), name) for name in _COMMANDS]
