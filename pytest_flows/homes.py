"""A home of its own for each session: what a developer keeps in theirs is no business of tests."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_VARIABLE = "FLOWS_HOME"


def move_home(config: pytest.Config) -> None:
    """Have the runtime keep results, and histories that last, in a folder that goes with the session."""
    before = os.environ.get(_VARIABLE)
    folder = tempfile.mkdtemp(prefix="pytest-flows-")
    os.environ[_VARIABLE] = folder

    def move_back() -> None:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)

    config.add_cleanup(move_back)
    config.stash[_HOME] = Path(folder)


def home_of(config: pytest.Config) -> Path:
    """The folder."""
    return config.stash[_HOME]


_HOME = pytest.StashKey[Path]()
