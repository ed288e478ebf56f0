"""The command ``flows``. Nothing of the runtime imports this."""

from runtime.cli.group import main

__all__ = ["main"]
