from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime import flow, task
from runtime.context import environment
from runtime.history import FlowRunHistory, MemoryHistoryStore
from simulators.reports import Story
from simulators.schedules import Choice, Decision, Schedule

SOURCE = """\
seen = counter["value"]
counter["value"] = seen + 1
"""


@dataclass
class Done:
    run: str
    point: str
    kind: str = "statement"
    resource: Any = None
    moment: float = 0.0
    place: str = ""


@pytest.fixture
def history() -> FlowRunHistory:
    @task
    def add() -> None:
        pass

    @flow
    def count() -> None:
        add.submit().wait()
        add.submit().wait()

    store = MemoryHistoryStore()
    with environment(store=store):
        count()
    return store.history(store.flow_runs()[0].id)


@pytest.fixture
def lost_update(tmp_path: Path, history: FlowRunHistory) -> Story:
    """Two tasks of two statements each; the second goes first at the first one's second statement."""
    source = tmp_path / "counting.py"
    source.write_text(SOURCE)
    steps = [
        Done("main", "1", "submit"),
        Done("add-0", "counting.py:1.1", place=f"{source}:1"),
        Done("add-1", "counting.py:1.1", place=f"{source}:1"),
        Done("add-1", "counting.py:2.1", place=f"{source}:2"),
        Done("add-0", "counting.py:2.1", place=f"{source}:2", moment=1.5),
        Done("main", "2", "wait", resource="add-1", moment=1.5),
    ]
    decision = Choice(Decision("add-1", "counting.py:1.1"), Decision("add-0", "counting.py:2.1"))
    return Story(
        test="lost_update",
        error=AssertionError("assert 1 == 2"),
        schedule=Schedule((decision,), seed=7),
        steps=steps,
        histories=[history],
        tried=12,
        strategy="pct",
        command="pytest --flows-replay=fs1-abc tests/test_counting.py::test_count",
        root=tmp_path,
    )
