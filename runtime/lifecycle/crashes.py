"""Telling a crash from a failure, and saying which crash it was."""

import os
import traceback
from pathlib import Path

from runtime.exceptions import CrashedRun, Terminated


def crash_message(exception: BaseException) -> str | None:
    """What a run that ended with ``exception`` crashed of; None where it failed instead.

    Code fails with an ``Exception``. Everything else, and a ``CrashedRun`` handed on, comes from outside.
    """
    if isinstance(exception, CrashedRun):
        return describe(exception) or "Execution was lost."
    if isinstance(exception, Exception):
        return None
    if isinstance(exception, KeyboardInterrupt):
        return "Execution was aborted by an interrupt signal."
    if isinstance(exception, Terminated):
        return "Execution was aborted by a termination signal."
    if isinstance(exception, SystemExit):
        return "Execution was aborted by Python system exit call."
    # By name: this module must not import asyncio, and other backends have their own.
    if any(kind.__name__ in {"CancelledError", "Cancelled"} for kind in type(exception).__mro__):
        return "Execution was cancelled by the runtime environment."
    return (
        f"Execution was interrupted by an unexpected exception: "
        f"{type(exception).__name__}: {describe(exception)}"
    )


def describe(exception: BaseException) -> str:
    """``str(exception)``, also where that raises."""
    try:
        return str(exception)
    except Exception as error:  # the user's __str__ may raise anything
        return f"<{type(exception).__name__} that cannot be shown: __str__ raised {type(error).__name__}>"


def traceback_of(exception: BaseException) -> str:
    """The traceback of an exception from the user's code, without the frames that are ours.

    Also where the exception breaks whoever looks at it.
    """
    try:
        shown = traceback.TracebackException.from_exception(exception)
        link: traceback.TracebackException | None = shown
        while link is not None:
            theirs = [frame for frame in link.stack if not frame.filename.startswith(_OURS)]
            if theirs:
                link.stack = traceback.StackSummary.from_list(theirs)
            link = link.__cause__ or link.__context__
        return "".join(shown.format()).rstrip()
    except Exception as error:  # such as one whose __bool__ raises: Python asks for its truth
        kind = type(error).__name__
        return f"{type(exception).__name__}: {describe(exception)}\n(The traceback cannot be shown: {kind}.)"


#: files of this package, and what imports the user's
_OURS = (str(Path(__file__).parent.parent) + os.sep, "<frozen importlib")
