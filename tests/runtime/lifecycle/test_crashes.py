"""Telling a crash from a failure."""

import asyncio
import concurrent.futures

import pytest

from runtime.exceptions import CrashedRun
from runtime.lifecycle import crash_message, describe

NO_WORDS = "<Unspeakable that cannot be shown: __str__ raised KeyError>"


class Unspeakable(BaseException):
    def __str__(self):
        raise KeyError("no words")


class UnspeakableError(Exception):
    def __str__(self):
        return 3


class Stop(KeyboardInterrupt):
    pass


class Cancelled(BaseException):
    """As other event loops call it."""


@pytest.mark.parametrize(
    "exception",
    [ValueError("no"), RecursionError(), MemoryError(), StopIteration(), UnspeakableError(), TimeoutError()],
)
def test_code_that_raises_an_exception_failed(exception):
    assert crash_message(exception) is None


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
        (Stop(), "Execution was aborted by an interrupt signal."),
        (SystemExit("bye"), "Execution was aborted by Python system exit call."),
        (asyncio.CancelledError(), "Execution was cancelled by the runtime environment."),
        (Cancelled(), "Execution was cancelled by the runtime environment."),
        (CrashedRun("the worker died"), "the worker died"),
        (CrashedRun(), "Execution was lost."),
        (GeneratorExit(), "Execution was interrupted by an unexpected exception: GeneratorExit: "),
        (Unspeakable(), f"Execution was interrupted by an unexpected exception: Unspeakable: {NO_WORDS}"),
    ],
)
def test_everything_else_is_a_crash_and_says_which(exception, message):
    assert crash_message(exception) == message


def test_a_cancelled_future_of_a_pool_is_a_failure_since_it_is_an_exception():
    assert crash_message(concurrent.futures.CancelledError()) is None


def test_an_exception_is_described_by_its_text():
    assert describe(ValueError("no")) == "no"
    assert describe(UnspeakableError()) == "<UnspeakableError that cannot be shown: __str__ raised TypeError>"
