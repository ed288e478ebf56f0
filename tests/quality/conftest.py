from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def a_project_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is the project under test; the whole suite around it need not have marks."""
    monkeypatch.chdir(Path(__file__).parent)
