"""The specification's examples, word for word in ``blocks/``, and what runs them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime import flow, task

BLOCKS = Path(__file__).parent / "blocks"


@pytest.fixture
def run_block() -> Callable[..., SimpleNamespace]:
    """Runs a block as a script; returns the names that are then there.

    Some blocks use what earlier text of the page introduced: ``flow`` and ``task`` are there for all,
    and ``given`` adds more. ``changes`` replace text, where the page errs or where a test has to see more.
    """

    def run(name: str, *, changes: dict[str, str] | None = None, **given: Any) -> SimpleNamespace:
        path = BLOCKS / f"{name}.py"
        source = path.read_text(encoding="utf-8")
        for wrong, right in (changes or {}).items():
            assert source.count(wrong) == 1, f"{wrong!r} should occur once in {path}"
            source = source.replace(wrong, right)
        names = {"__name__": "__main__", "__file__": str(path), "flow": flow, "task": task, **given}
        exec(compile(source, path, "exec"), names)
        return SimpleNamespace(**names)

    return run
