"""One live line below the log of a flow that takes a while. Rich is imported where there is a terminal."""

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from runtime.cli.tallies import RunTallies

#: seconds: what is over sooner needs no progress, and its output stays as it is
LONG = 1.0
_REFRESH = 0.1
_SETTLED = frozenset({"Completed", "Cached", "Failed", "TimedOut", "Crashed", "Cancelled", "NotReady"})


@contextmanager
def progress(tallies: RunTallies) -> Generator[None]:
    """Show how far the task runs are, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    showing = threading.Thread(target=_show, args=(tallies, over), name="flows-progress", daemon=True)
    showing.start()
    try:
        yield
    finally:
        over.set()
        showing.join()


def _show(tallies: RunTallies, over: threading.Event) -> None:
    began = time.monotonic()
    if over.wait(LONG):
        return
    spinner = Spinner("dots")
    with Live(
        get_renderable=lambda: _line(tallies, spinner, time.monotonic() - began),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    ) as live:
        while not over.wait(_REFRESH):
            live.refresh()


def _line(tallies: RunTallies, spinner: Spinner, elapsed: float) -> Table:
    counts = {state: count for state, count in tallies.by_state().items() if count}
    submitted = sum(counts.values())
    settled = sum(count for state, count in counts.items() if state in _SETTLED)
    line = Table.grid(padding=(0, 1))
    states = "  ".join(f"{state} {count}" for state, count in sorted(counts.items()))
    line.add_row(
        spinner,
        f"{elapsed:.0f} s",
        ProgressBar(total=max(submitted, 1), completed=settled, width=24),
        f"{settled} of {submitted} task runs",
        states,
    )
    return line
