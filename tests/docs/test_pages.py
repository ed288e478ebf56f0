"""Pages that have the reader write files: what is in those files works, in a folder of its own.

Blocks that stand on their own are run by Sybil. A block that begins with a comment such as
``# test_weather.py`` is that file; a later one with the same name takes its place.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if FILE.search(page.read_text())],
)
def test_the_files_that_a_page_has_the_reader_write_pass_their_tests(page, pytester):
    versions: dict[str, list[str]] = {}
    for name, text in FILE.findall(page.read_text(encoding="utf-8")):
        versions.setdefault(name, []).append(text)
    steps = max(len(texts) for texts in versions.values())
    for step in range(steps):
        for name, texts in versions.items():
            (pytester.path / name).write_text(texts[min(step, len(texts) - 1)], encoding="utf-8")
        for name in versions:
            if not name.startswith("test_"):
                assert pytester.runpython(name).ret == 0

        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")

        assert result.ret == pytest.ExitCode.OK
