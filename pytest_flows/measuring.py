"""Coverage of what runs in workers' processes.

This travels: it is made in pytest's process, and entered in a worker's.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coverage import Coverage

#: how the files begin that workers write
PREFIX = "lines"


@dataclass(frozen=True, slots=True)
class MeasuredAttempts:
    """Measures what attempts run, in the same way as pytest's process is measured."""

    #: where the files go
    folder: str
    #: options of coverage, with their values
    options: tuple[tuple[str, Any], ...]
    #: what coverage calls the circumstances
    context: str

    def __call__(self) -> AbstractContextManager[None]:
        """Measure the attempt that this thread makes."""
        return _measurement.of(self)


class _Measurement:
    """The one measurement of a worker's process, whose attempts may run at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts = 0
        self._made_for: tuple[object, ...] = ()
        self._context = ""
        self._coverage: Coverage | None = None

    @contextmanager
    def of(self, how: MeasuredAttempts) -> Generator[None]:
        with self._lock:
            measures = self._begin(how)
        if not measures:
            yield
            return
        # Coverage looks at threads that start from now on, and this one has been there before.
        before, tracer = sys.gettrace(), threading.gettrace()
        sys.settrace(tracer)
        try:
            yield
        finally:
            if tracer is not None:
                sys.settrace(before)
            with self._lock:
                self._end()

    def _begin(self, how: MeasuredAttempts) -> bool:
        """Start, where no other attempt has; False where the process cannot or need not be measured."""
        if self._attempts == 0 and not self._prepare(how):
            return False
        assert self._coverage is not None
        if self._attempts == 0:
            self._coverage.start()
        if self._context != how.context:
            self._coverage.switch_context(how.context)
            self._context = how.context
        self._attempts += 1
        return True

    def _prepare(self, how: MeasuredAttempts) -> bool:
        if not Path(how.folder).is_dir() or find_spec("coverage") is None:
            return False  # another machine, or another environment
        from coverage import Coverage

        if Coverage.current() is not None:
            return False  # the process is measured anyway, as the user has set it up
        made_for = (how.folder, how.options)
        if self._made_for != made_for:
            file = str(Path(how.folder, PREFIX))
            self._coverage = Coverage(data_file=file, data_suffix=True, config_file=False, messages=False)
            for option, value in how.options:
                self._coverage.set_option(option, value)
            self._made_for, self._context = made_for, ""
        return True

    def _end(self) -> None:
        self._attempts -= 1
        if self._attempts == 0:
            assert self._coverage is not None
            self._coverage.stop()
            self._coverage.get_data().close()


_measurement = _Measurement()
