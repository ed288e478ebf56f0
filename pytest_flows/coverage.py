"""Coverage: of what runs in workers too, and with the names of task runners and schedules for contexts.

Others begin it, with ``coverage run`` or pytest-cov. Nothing of this is imported where none is measured.
"""

import os
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
from coverage import Coverage, CoverageData

from pytest_flows.homes import home_of
from pytest_flows.measuring import PREFIX, MeasuredAttempts
from pytest_flows.options import DECLARED, SIMULATED
from runtime.context import FLOW_RUN
from runtime.hooks import hookimpl, plugins
from simulators import Execution

#: options that say what is measured, as far as they are no paths
_OPTIONS = ("run:branch", "run:core", "run:cover_pylib", "run:plugins", "run:timid")


class Measured:
    """The measurement of coverage that this session is part of."""

    def __init__(self, coverage: Coverage, folder: Path, *, taken: bool) -> None:
        """``folder``: where workers put what they measure. ``taken``: contexts are somebody else's."""
        self._coverage = coverage
        self._taken = taken or bool(coverage.get_option("run:dynamic_context"))
        self._folder = folder
        self._context = ""
        #: the schedules that are contexts of their own, as tokens
        self.schedules: dict[str, str] = {}
        self._sent: dict[str, MeasuredAttempts] = {}
        self._options = tuple(_options(coverage))

    @contextmanager
    def within(self, context: str) -> Generator[None]:
        """What runs in the block has this context, here and in workers."""
        before = self._context
        self._switch(context)
        try:
            yield
        finally:
            self._switch(before)

    @contextmanager
    def within_schedules(self, test: str) -> Generator[Callable[[Execution], None]]:
        """What runs in the block under each schedule of ``test`` has a context of its own.

        Gives what is to be called when a schedule has ended.
        """
        number = sum(context.startswith(f"{SIMULATED}|{test}|") for context in self.schedules)

        def named() -> str:
            return f"{SIMULATED}|{test}|{number}"

        def ended(execution: Execution) -> None:
            nonlocal number
            self.schedules[named()] = str(execution.schedule)
            number += 1
            self._switch(named())

        with self.within(named()):
            yield ended

    @hookimpl
    def flows_around_attempts(self, attempt: Any) -> list[MeasuredAttempts]:
        """Have attempts measured in workers as here."""
        context, flow = self._context, attempt.context.get(FLOW_RUN)
        if context in {"", DECLARED} and flow is not None:
            context = flow.scope.runner.name.removesuffix("TaskRunner").lower()
        how = MeasuredAttempts(str(self._folder), self._options, context)
        return [self._sent.setdefault(context, how)]  # the same each time, so that it travels once

    def gather(self) -> CoverageData:
        """Add what workers have measured to what was measured here, and return all of it."""
        data = self._coverage.get_data()
        base = Path.cwd() if self._coverage.get_option("run:relative_files") else None
        for file in sorted(self._folder.glob(f"{PREFIX}.*")):
            elsewhere = CoverageData(basename=str(file))
            elsewhere.read()
            data.update(elsewhere, map_path=lambda path: os.path.relpath(path, base) if base else path)
            elsewhere.close(force=True)
            file.unlink()
        return data

    def _switch(self, context: str) -> None:
        self._context = context
        # Coverage may have ended meanwhile; and a core that knows no contexts warns of it, to no avail.
        if not self._taken and Coverage.current() is self._coverage:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._coverage.switch_context(context)


def test_context(item: pytest.Item, task_runner: str) -> str:
    """What a test's lines have for context: what pytest-cov calls it, where that gives contexts."""
    return f"{item.nodeid}|run" if _taken(item.config) else task_runner


def measured(config: pytest.Config) -> Measured | None:
    """What this session measures; None where no coverage is measured, or not any more."""
    coverage = Coverage.current()
    if coverage is None:
        return None
    if _MEASURED not in config.stash:
        folder = home_of(config) / "coverage"
        folder.mkdir()
        config.stash[_MEASURED] = measurement = Measured(coverage, folder, taken=_taken(config))
        plugins().register(measurement)
        config.add_cleanup(lambda: plugins().unregister(measurement))
    return config.stash[_MEASURED]


def _taken(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "cov_context", None))


def _options(coverage: Coverage) -> Generator[tuple[str, Any]]:
    """What a worker is to measure: the same files, whatever its working folder is."""
    for name in _OPTIONS:
        value = coverage.get_option(name)
        if value:
            yield name, value
    # A worker that looks for files that were never run would do so after each attempt: patterns do the same.
    sources = [
        *_listed(coverage, "run:source"),
        *_listed(coverage, "run:source_pkgs"),
        *_listed(coverage, "run:source_dirs"),
    ]
    if sources:
        yield "run:include", [pattern for source in sources for pattern in _patterns(source)]
    elif include := _listed(coverage, "run:include"):
        yield "run:include", [_absolute(pattern) for pattern in include]
    if omit := _listed(coverage, "run:omit"):
        yield "run:omit", [_absolute(pattern) for pattern in omit]
    # An attempt need not run anything that is measured.
    yield "run:disable_warnings", ["no-data-collected", "no-sysmon", "no-sysmon-context", "include-ignored"]


def _listed(coverage: Coverage, option: str) -> list[str]:
    return cast("list[str] | None", coverage.get_option(option)) or []


def _patterns(source: str) -> list[str]:
    """Patterns for what lies in a folder, or in a package."""
    if Path(source).is_dir():
        return [f"{Path(source).resolve()}/*"]
    module = sys.modules.get(source)
    spec = module.__spec__ if module is not None else find_spec(source)
    if spec is None:
        return []
    folders = spec.submodule_search_locations
    return [f"{folder}/*" for folder in folders] if folders is not None else [str(spec.origin)]


def _absolute(pattern: str) -> str:
    return pattern if pattern.startswith(("*", "?")) else str(Path(pattern).absolute())


_MEASURED = pytest.StashKey[Measured]()
