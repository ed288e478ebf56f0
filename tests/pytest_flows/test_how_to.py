"""The suites that the docs show are suites that pass."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def suites() -> list[object]:
    """Each page with test modules in it."""
    pages = [page for page in sorted(DOCS.rglob("*.md")) if "```python\n# test_" in page.read_text()]
    return [pytest.param(page, id=page.relative_to(DOCS).as_posix()) for page in pages]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", suites())
def test_the_tests_that_a_page_shows_pass(pytester: pytest.Pytester, page: Path) -> None:
    modules = BLOCK.findall(page.read_text())
    for name, source in modules:
        Path(pytester.path, name).write_text(source)

    result = pytester.runpytest_subprocess()

    assert result.ret is pytest.ExitCode.OK
    assert "warning" not in result.stdout.lines[-1]
