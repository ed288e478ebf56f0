"""A census of the Python standard library of this machine: every file is parsed in a task of its own.

    flows run examples/stdlib_census.py:census

Some files do not parse, and are there to be like that: their tasks fail, and the flow goes on and says
so. Some are not in UTF-8: reading those fails at first, and a retry reads them as they ask for. Some
Pythons lose count when several threads parse, and a retry helps here too. A subflow then writes
``census/census.csv`` and ``census/index.html``.
"""

import ast
import csv
import html
import io
import sysconfig
import tokenize
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from runtime import State, flow, get_run_context, get_run_logger, task
from runtime.task_runners import SequentialTaskRunner

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


@dataclass(frozen=True)
class FileCount:
    """What there is in one file; ``problem`` says why there is nothing."""

    file: str
    lines: int = 0
    functions: int = 0
    classes: int = 0
    imports: int = 0
    encoding: str = ""
    problem: str = ""

    @property
    def package(self) -> str:
        """The package, or the module, of the standard library that the file belongs to."""
        return self.file.partition("/")[0].removesuffix(".py")


@flow(name="stdlib-census")
def census(library: Path = STANDARD_LIBRARY, folder: Path = Path("census")) -> dict[str, int]:
    """Count what is in the library's files; the report goes into ``folder``. Returns the totals."""
    files = source_files(library)
    futures = [count.submit(library, file) for file in files]
    counts = [counted(file, future.wait()) for file, future in zip(files, futures, strict=True)]
    report(counts, folder)
    return totals(counts)


def worth_a_retry(_task: object, _task_run: object, state: State) -> bool:
    """Whether another attempt may do better than one that failed.

    It took the file for UTF-8, which it is not; or it met a bug of CPython before 3.11.8 and 3.12.2
    (python/cpython#106905): threads that parse at the same time count their recursion together.
    """
    return isinstance(state.result(raise_on_failure=False), UnicodeDecodeError | SystemError)


@task(retries=5, retry_condition_fn=worth_a_retry)
def count(library: Path, file: str) -> FileCount:
    """Parse one file. Nearly all are UTF-8; only a second attempt looks for what the file declares."""
    source = (library / file).read_bytes()
    encoding = "utf-8" if get_run_context().attempt == 1 else declared_encoding(source)
    lines = source.decode(encoding).splitlines()
    kinds = Counter(type(statement) for statement in statements(ast.parse(source, file)))
    return FileCount(
        file,
        lines=len(lines),
        functions=kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef],
        classes=kinds[ast.ClassDef],
        imports=kinds[ast.Import] + kinds[ast.ImportFrom],
        encoding=encoding,
    )


@flow(task_runner=SequentialTaskRunner())
def report(counts: list[FileCount], folder: Path) -> None:
    """Write the census down, for machines and for people."""
    table = write_table.submit(counts, folder)
    write_page.submit(counts, folder, wait_for=[table])


@task
def write_table(counts: list[FileCount], folder: Path) -> None:
    """All counts as ``census.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "census.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(FileCount)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in counts)


@task
def write_page(counts: list[FileCount], folder: Path) -> None:
    """A page to look at: the largest packages as a plot, and the files that do not parse."""
    summary = "".join(f"<div><b>{number:,}</b> {name}</div>" for name, number in totals(counts).items())
    problems = "".join(
        f"<tr><td>{html.escape(each.file)}<td>{html.escape(each.problem)}" for each in counts if each.problem
    )
    page = PAGE.format(summary=summary, plot=plot(counts), problems=problems)
    (folder / "index.html").write_text(page, encoding="utf-8")
    get_run_logger().info("The census is in %s", folder / "index.html")


def source_files(library: Path) -> list[str]:
    """All Python files below a folder, without what was installed into it."""
    found = (file.relative_to(library) for file in library.rglob("*.py"))
    return sorted(file.as_posix() for file in found if "site-packages" not in file.parts)


def declared_encoding(source: bytes) -> str:
    """What a file says of its encoding; UTF-8 where it says nothing."""
    return tokenize.detect_encoding(io.BytesIO(source).readline)[0].removesuffix("-sig")


def statements(tree: ast.Module) -> list[ast.AST]:
    """All statements. Expressions hold none, so they are not looked into, and most nodes are theirs."""
    found: list[ast.AST] = []
    open_blocks: list[ast.AST] = [tree]
    while open_blocks:
        block = open_blocks.pop()
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(block, part, [])
            if isinstance(inner, list):  # that of a lambda or a conditional is an expression
                found.extend(inner)
                open_blocks.extend(inner)
    return found


def counted(file: str, state: State) -> FileCount:
    """The count of a file, also where its task failed."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, FileCount):
        return result
    return FileCount(file, problem=f"{type(result).__name__}: {result}")


def totals(counts: list[FileCount]) -> dict[str, int]:
    """The sums over all files."""
    names = ("lines", "functions", "classes", "imports")
    return {
        "files": len(counts),
        **{name: sum(getattr(each, name) for each in counts) for name in names},
        "files that do not parse": sum(bool(each.problem) for each in counts),
        "files not in UTF-8": sum(each.encoding not in ("", "utf-8") for each in counts),
    }


def plot(counts: list[FileCount], bars: int = 25) -> str:
    """The packages with most lines, as an SVG bar chart."""
    lines: Counter[str] = Counter()
    for each in counts:
        lines[each.package] += each.lines
    largest = lines.most_common(bars)
    longest = max((number for _, number in largest), default=0) or 1
    rows = [
        f'<text x="150" y="{22 * row + 16}" text-anchor="end">{html.escape(package)}</text>'
        f'<rect x="158" y="{22 * row + 3}" width="{520 * number / longest:.1f}" height="16" rx="2"/>'
        f'<text x="{164 + 520 * number / longest:.1f}" y="{22 * row + 16}">{number:,}</text>'
        for row, (package, number) in enumerate(largest)
    ]
    size = f'viewBox="0 0 760 {22 * len(largest) + 6}"'
    return f'<svg {size} role="img" aria-label="Lines in the largest packages">{"".join(rows)}</svg>'


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A census of the standard library</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
body {{ max-width: 760px; margin: 3rem auto; padding: 0 1rem }}
.summary {{ display: flex; flex-wrap: wrap; gap: .5rem 2rem }}
.summary b {{ display: block; font-size: 1.5rem }}
svg {{ width: 100%; font-size: 12px; fill: currentColor }}
rect {{ fill: #4178be }}
td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }}
</style>
<h1>A census of the standard library</h1>
<div class="summary">{summary}</div>
<h2>Lines in the largest packages</h2>
{plot}
<h2>Files that do not parse</h2>
<table>{problems}</table>
</html>
"""


if __name__ == "__main__":
    census()
