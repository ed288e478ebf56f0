"""Places: which line of the user's code stands behind a step."""

import asyncio
import inspect
import sysconfig
import threading
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, cast

import anyio

import runtime
from simulators.loops import awaited_by
from simulators.turns import LoopTurn, Turn

#: code that nobody looks for a mistake in: ours, and what waits on behalf of others
_PASSED_OVER = tuple(
    str(Path(folder).resolve())
    for folder in (
        *runtime.__path__,
        *(str(Path(__file__).parent),),
        *anyio.__path__,
        *asyncio.__path__,
        sysconfig.get_path("stdlib") + "/concurrent",
        threading.__file__,
        sysconfig.get_path("stdlib") + "/queue.py",
        sysconfig.get_path("stdlib") + "/contextlib.py",
        sysconfig.get_path("stdlib") + "/importlib",
    )
)


def place_of(turn: Turn) -> str:
    """``file:line`` of the user's code that a turn belongs to, where it stands now; or ""."""
    if isinstance(turn, LoopTurn):
        task = getattr(turn.callback, "__self__", None)
        if not isinstance(task, asyncio.Task):
            return ""
        return _shown(frame_of_task(cast("asyncio.Task[Any]", task)))
    frame = inspect.currentframe()
    while frame is not None and is_passed_over(frame.f_code.co_filename):
        frame = frame.f_back
    return _shown(frame)


def frame_of_task(task: "asyncio.Task[Any]") -> FrameType | None:
    """The innermost frame of the user's code in an asyncio task that waits."""
    coroutine: Any = task.get_coro()
    found: FrameType | None = None
    while coroutine is not None and not isinstance(coroutine, asyncio.Future):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and not is_passed_over(frame.f_code.co_filename):
            found = frame
        coroutine = awaited_by(coroutine)
    return found


@lru_cache(maxsize=4096)
def is_passed_over(filename: str) -> bool:
    """Whether a file is ours, or waits on behalf of others: not where one looks for a mistake."""
    return filename.startswith("<") or str(Path(filename).resolve()).startswith(_PASSED_OVER)


def _shown(frame: FrameType | None) -> str:
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
