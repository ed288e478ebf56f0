"""Pages that have the reader write files: what is in those files works, in a folder of its own.

Blocks that stand on their own are run by Sybil. A block that begins with a comment such as
``# test_weather.py`` is that file; a later one with the same name takes its place. A test file whose comment
adds ``(fails)`` fails, and the line that it prints to bring the failure back does so.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILE = re.compile(r"^```python\n# (\w+\.py)(?: (\(fails\)))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REPLAY = re.compile(r"^pytest (\S+) (--flows-replay=\S+)$", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(300)  # pages about clusters start some
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if FILE.search(page.read_text())],
)
def test_the_files_that_a_page_has_the_reader_write_pass_their_tests(page, pytester):
    versions: dict[str, list[str]] = {}
    failing = set()
    for name, fails, text in FILE.findall(page.read_text(encoding="utf-8")):
        versions.setdefault(name, []).append(text)
        failing |= {name} if fails else set()
    for step in range(max(len(texts) for texts in versions.values())):
        for name, texts in versions.items():
            (pytester.path / name).write_text(texts[min(step, len(texts) - 1)], encoding="utf-8")
        passing = versions.keys() - failing
        tests = [name for name in passing if name.startswith("test_")]
        for name in passing - set(tests):
            assert pytester.runpython(name).ret == 0
        if tests:
            assert run_tests(pytester)(*tests).ret == 0
    for name in failing:
        shown = run_tests(pytester)(name)
        assert shown.ret == pytest.ExitCode.TESTS_FAILED
        assert run_tests(pytester)(*REPLAY.findall(shown.stdout.str())[0]).ret == pytest.ExitCode.TESTS_FAILED


def run_tests(pytester):
    def run(*arguments):
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error", *arguments)

    return run
