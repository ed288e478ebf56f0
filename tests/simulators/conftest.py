import importlib.util
import sys
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

_numbers = count()


@pytest.fixture
def load(tmp_path: Path) -> Generator[Callable[[str], ModuleType]]:
    """Imports a piece of source from a file of its own, as a user's module would be."""
    loaded: list[str] = []

    def load(source: str) -> ModuleType:
        name = f"users_module_{next(_numbers)}"
        file = tmp_path / f"{name}.py"
        file.write_text(dedent(source).lstrip())
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loaded.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]


@pytest.fixture
def small_project(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's folder is the project under test; the whole suite around it need not have marks."""
    monkeypatch.chdir(request.path.parent)
