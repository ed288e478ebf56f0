"""Tasks that fail, crash, or hand over what cannot be handed over."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from pytest_flows.assertions import assert_history
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.tasks import add, call, call_async, fail, fail_async, same
from runtime import flow
from runtime.states import State
from runtime.task_runners import BaseTaskRunner


class Unrepeatable(Exception):
    """Cannot be made from its ``args`` alone, as pickle would."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{reason} ({code})")


class Unpicklable(Exception):
    """Carries a lock."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class Unshowable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Abort(BaseException):
    """Not an ``Exception``, and nobody's own."""


def _raise(error: BaseException) -> None:
    raise error


def _raise_unrepeatable() -> None:
    raise Unrepeatable(7, reason="seven")


def _raise_unpicklable() -> None:
    raise Unpicklable("locked")


def _raise_unshowable() -> None:
    raise Unshowable


def _raise_cyclic() -> None:
    error = ValueError("round and round")
    error.__cause__ = RuntimeError("other")
    error.__cause__.__cause__ = error
    raise error


def _raise_group() -> None:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def _recurse(depth: int = 0) -> int:
    return _recurse(depth + 1) + 1


FAILURES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "init-with-keywords": (_raise_unrepeatable, "Unrepeatable", "seven (7)"),
    "unpicklable-attribute": (_raise_unpicklable, "Unpicklable", "locked"),
    "cyclic-cause": (_raise_cyclic, "ValueError", "round and round"),
    "exception-group": (_raise_group, "ExceptionGroup", "several (2 sub-exceptions)"),
    "recursion": (_recurse, "RecursionError", "maximum recursion depth exceeded"),
}

CRASHES: dict[str, tuple[BaseException, str]] = {
    "keyboard-interrupt": (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
    "system-exit": (SystemExit(0), "Execution was aborted by Python system exit call."),
    "system-exit-with-text": (SystemExit("bye"), "Execution was aborted by Python system exit call."),
    "cancelled": (asyncio.CancelledError(), "Execution was cancelled by the runtime environment."),
    "generator-exit": (
        GeneratorExit("done"),
        "Execution was interrupted by an unexpected exception: GeneratorExit: done",
    ),
    "own-base-exception": (
        Abort("enough"),
        "Execution was interrupted by an unexpected exception: Abort: enough",
    ),
}


class FailureTests(SuiteBase):
    """Code that raises. Nothing hangs, and what was raised is known by its name and text."""

    def test_a_task_that_raises_has_failed(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @flow(task_runner=task_runner)
        def fails() -> Any:
            return fail.submit("bad luck")

        observed = observe(fails)
        failed: State = observed.state.data

        assert str(failed) == "Failed(message='Task run encountered an exception.', type=FAILED)"
        assert_history(observed.history["fail-0"], "Pending", "Running", "Failed")
        with pytest.raises(ValueError, match="bad luck"):
            observed.state.result()

    def test_an_async_task_that_raises_has_failed(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def fails() -> None:
            fail_async.submit()

        observed = observe(fails)

        assert_history(observed.history["fail_async-0"], "Pending", "Running", "Failed")
        assert observed.state.message == "1/1 states failed."

    @pytest.mark.parametrize("kind", list(FAILURES))
    def test_difficult_exceptions_fail_like_any_other(
        self, task_runner: BaseTaskRunner, observe: Observe, kind: str
    ) -> None:
        function, name, text = FAILURES[kind]

        @flow(task_runner=task_runner)
        def fails() -> tuple[str, str]:
            error = call.submit(function).result(raise_on_failure=False)
            return type(error).__name__, str(error)

        observed = observe(fails)

        assert observed.result[0] == name
        assert observed.result[1].startswith(text)
        assert_history(observed.history["call-0"], "Pending", "Running", "Failed")

    def test_an_exception_without_a_text_fails_like_any_other(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def fails() -> str:
            return type(call.submit(_raise_unshowable).result(raise_on_failure=False)).__name__

        observed = observe(fails)

        assert observed.result == "Unshowable"
        assert_history(observed.history["call-0"], "Pending", "Running", "Failed")

    @pytest.mark.parametrize("kind", list(CRASHES))
    @pytest.mark.parametrize("submitted", [call, call_async], ids=["sync", "async"])
    def test_what_is_no_exception_crashes_its_task_and_nothing_else(
        self, task_runner: BaseTaskRunner, observe: Observe, kind: str, submitted: Any
    ) -> None:
        error, message = CRASHES[kind]

        @flow(task_runner=task_runner)
        def crashes() -> str:
            crashed = submitted.submit(_raise, error)
            state = crashed.wait(30)
            add.submit(1, 2).result()
            return str(state)

        observed = observe(crashes)

        assert observed.result == f"Crashed(message={message!r}, type=CRASHED)"
        assert_history(observed.history[f"{submitted.name}-0"], "Pending", "Running", "Crashed")

    def test_a_crashed_task_fails_a_flow_that_does_not_ask_for_its_result(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def crashes() -> None:
            call.submit(_raise, Abort("enough"))

        assert str(observe(crashes).state) == "Failed(message='1/1 states failed.', type=FAILED)"

    def test_a_crash_that_reaches_the_flow_crashes_it_and_is_raised_to_the_caller(
        self, task_runner: BaseTaskRunner, store: Any
    ) -> None:
        @flow(task_runner=task_runner)
        def crashes() -> None:
            call.submit(_raise, Abort("enough")).result()

        with pytest.raises(Abort, match="enough"):
            crashes(return_state=True)

        history = store.history(store.flow_runs()[-1].id)
        assert_history(history, "Pending", "Running", "Crashed")


class HandoverTests(SuiteBase):
    """Arguments and results that may not be able to travel."""

    def test_an_argument_that_cannot_travel_fails_its_task_by_name(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> list[Any]:
            state = same.submit(threading.Lock()).wait()
            return [state.name, state.message, add.submit(1, 2).result()]

        name, message, after = observe(submits).result

        assert after == 3
        if self.shares_memory:
            assert name == "Completed"
        else:
            assert name == "Failed"
            assert "'x'" in message

    def test_a_result_that_cannot_travel_fails_its_task_by_type(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> list[Any]:
            future = call.submit(threading.Lock)
            state = future.wait()
            return [state.name, f"{state.message} {future.result(raise_on_failure=False)}"]

        name, message = observe(submits).result

        if self.shares_memory:
            assert name == "Completed"
        else:
            assert name == "Failed"
            assert "lock" in message

    @pytest.mark.parametrize("kind", ["generator", "coroutine", "future"])
    def test_a_result_that_is_still_to_happen_travels_only_in_shared_memory(
        self, task_runner: BaseTaskRunner, observe: Observe, kind: str
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> str:
            future = call.submit(_unfinished, kind)
            state = future.wait()
            if state.is_completed() and kind == "coroutine":
                future.result().close()
            return state.name

        assert observe(submits).result == ("Completed" if self.shares_memory else "Failed")

    def test_none_is_a_result_like_any_other(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def submits() -> list[Any]:
            future = same.submit(None)
            return [future.result(), future.get_state().name, same.submit(future).result()]

        assert submits() == [None, "Completed", None]

    def test_a_state_returned_by_a_task_becomes_its_own(
        self, task_runner: BaseTaskRunner, observe: Observe
    ) -> None:
        @flow(task_runner=task_runner)
        def submits() -> None:
            call.submit(_skipped)

        observed = observe(submits)

        assert_history(observed.history["call-0"], "Pending", "Running", "Skipped")
        assert observed.state.message == "All states completed."

    def test_a_large_argument_arrives_whole(self, task_runner: BaseTaskRunner) -> None:
        @flow(task_runner=task_runner)
        def submits() -> int:
            return call.submit(len, same.submit(b"x" * 5_000_000)).result()

        assert submits() == 5_000_000


def _unfinished(kind: str) -> Any:
    async def coroutine() -> None: ...

    if kind == "generator":
        return (n for n in range(3))
    return coroutine() if kind == "coroutine" else Future[None]()


def _skipped() -> State:
    from runtime.states import Completed

    return Completed("nothing to do", name="Skipped")
