"""What Dask writes into the environment of this process, for the worker processes that it starts."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

from dask import config

_NAMES = ("PYTHONHASHSEED", "__DASK_PARENT_PID")


@contextmanager
def environment_kept() -> Generator[None]:
    """The environment is after the block as it was before the first of those that overlap with it.

    Dask writes it anew for each worker process, so clusters that go on do not miss it.
    """
    _kept.enter()
    try:
        yield
    finally:
        _kept.leave()


class _Kept:
    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before: dict[str, str | None] = {}

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                names = {*_NAMES, *_get("distributed.nanny.pre-spawn-environ", {})}
                self._before = {name: os.environ.get(name) for name in names}
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_get = cast("Any", config).get  # its annotations are incomplete
_kept = _Kept()
