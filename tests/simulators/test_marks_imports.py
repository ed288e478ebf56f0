"""Modules that are imported while an exploration is under way."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from simulators import explore

COUNTER = """
    value = 0
    def add():
        global value
        seen = value
        value = seen + 1
"""
COUNTING = """
    import threading
    def count():
        import {name} as counter
        {before}
        counter.value = 0
        threads = [threading.Thread(target=counter.add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return counter.value
"""


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the project under test that nobody has imported yet."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"counter_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(dedent(COUNTER))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def counting(load: Callable[[str], ModuleType], name: str, before: str = "") -> Callable[[], int]:
    return load(COUNTING.format(name=name, before=before)).count


def test_what_is_imported_meanwhile_has_points_from_then_on(load, counter):
    count = counting(load, counter)

    exploration = explore(count, schedules=50, strategy="random")

    assert counter in sys.modules
    assert set(exploration.outcomes) == {1, 2}
    assert exploration.unmarked == []


def test_the_first_schedule_has_the_points_that_the_others_have(load, counter):
    count = counting(load, counter)

    exploration = explore(count, strategy="exhaustive", points="statements", schedules=40)

    assert exploration.failures == []


def test_what_is_imported_anew_in_each_schedule_has_points(load, counter):
    count = counting(load, counter, before="import importlib; importlib.reload(counter)")

    assert set(explore(count, schedules=50, strategy="random").outcomes) == {1, 2}


def test_what_came_by_a_way_that_nobody_notices_is_named(load, tmp_path):
    late = tmp_path / "late.py"
    late.write_text("def work():\n    return 1\n")
    run = load(f"""
        from pathlib import Path
        kept = []
        def run():
            names = {{}}
            exec(compile(Path({str(late)!r}).read_text(), {str(late)!r}, "exec"), names)
            kept.append(names["work"])
            return names["work"]()
    """).run

    exploration = explore(run, schedules=1)

    assert exploration.unmarked == [f"work ({late}:1): came while marks were in, and was not seen"]
    assert str(exploration.certificate).endswith("; 1 pieces of code without points (unmarked)")


def test_modules_imported_meanwhile_keep_no_substitutes(load, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"names_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text("from threading import Lock\nfrom time import sleep\n")
    test = load(f"def test():\n    import {name}\n    {name}.sleep(5)\n").test

    explore(test, schedules=1)

    assert sys.modules[name].Lock is threading.Lock
    assert sys.modules[name].sleep is __import__("time").sleep
