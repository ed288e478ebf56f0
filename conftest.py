"""For all tests, and for the examples in the docs, which are tests too: what each gets, and may leave."""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from runtime.settings import temporary_settings

#: how the threads are called that the runtime starts, or that anyio keeps for it
OUR_THREADS = ("flows-", "AnyIO worker thread")
#: seconds that a thread may take to end after a test; one that needs long is a leak, not slow
PATIENCE = 10.0


def pytest_configure() -> None:
    # Started in the background, a process ignores Ctrl-C, and so do all that it starts. Tests send it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long campaigns too (marker: soak)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(autouse=True)
def flows_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A home of its own for each test, also in the processes that it starts. Not made before it is used."""
    home = tmp_path_factory.mktemp("home") / "flows"
    monkeypatch.setenv("FLOWS_HOME", str(home))
    with temporary_settings(home=home):
        yield home


@pytest.fixture(autouse=True)
def no_thread_left() -> Generator[None]:
    """Fails a test that leaves one of our threads behind."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread not in before and thread.name.startswith(OUR_THREADS):
            while thread.ident is None and time.monotonic() < deadline:  # another thread is starting it
                time.sleep(0.001)
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"{thread} is still there {PATIENCE} seconds after the test"


class _Pages:
    """The pages of the docs, one at a time: the examples of a page share their names and a home."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def begin(self, namespace: dict[str, Any]) -> None:
        # As in a script, so that guarded code runs and clusters get the functions by value.
        namespace["__name__"] = "__main__"
        home = self._open.enter_context(TemporaryDirectory())
        self._open.enter_context(temporary_settings(home=Path(home)))

    def end(self, namespace: dict[str, Any]) -> None:
        namespace.clear()
        self._open.close()


@pytest.hookimpl(optionalhook=True)  # the plugin may be switched off
def pytest_flows_leaked(leaks: list[Any]) -> None:
    # The home of a page is there for all its examples.
    leaks[:] = [leak for leak in leaks if not (leak.kind == "folder" and __file__ in leak.creator)]


_pages = _Pages()
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_pages.begin,
    teardown=_pages.end,
    fixtures=["no_thread_left"],
).pytest()
