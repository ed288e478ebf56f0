"""What tasks find around them and what is told of them: caches, hooks, contexts, tags and logs."""

import logging
import os
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_flows.assertions import assert_history
from pytest_flows.suite.base import Observe, SuiteBase
from pytest_flows.suite.gates import Ledger
from pytest_flows.suite.tasks import add, fail, same, write
from runtime import State, flow, get_run_context, get_run_logger, tags, task
from runtime.results import LocalResultStorage, result_storage
from runtime.states import Completed
from runtime.task_runners import BaseTaskRunner
from runtime.tasks import task_input_hash


def _line_as_key(context: object, parameters: dict[str, Any]) -> str:
    return f"line-{parameters['line']}"


def _no_key(context: object, parameters: dict[str, Any]) -> None:
    return None


def _broken_key(context: object, parameters: dict[str, Any]) -> str:
    raise LookupError("no key today")


class CacheTests(SuiteBase):
    """Results shared by key."""

    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path: Path) -> Generator[None]:
        with result_storage(LocalResultStorage(tmp_path / "results")):
            yield

    def test_a_result_is_found_by_its_key(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        keyed = write.with_options(cache_key_fn=_line_as_key)

        @flow(task_runner=task_runner)
        def caches() -> list[Any]:
            return [keyed.submit(ledger, "a").result(), keyed.submit(ledger, same.submit("a")).result()]

        observed = observe(caches)

        assert observed.result == ["a", "a"]
        assert ledger.lines == ["a"]
        assert_history(observed.history["write-1"], "Pending", "Cached")

    def test_a_cache_outlives_the_flow(
        self, task_runner: BaseTaskRunner, observe: Observe, ledger: Ledger
    ) -> None:
        keyed = write.with_options(cache_key_fn=task_input_hash)

        @flow(task_runner=task_runner)
        def caches() -> Any:
            return keyed.submit(ledger, "a").result()

        assert [observe(caches).result, observe(caches).result] == ["a", "a"]
        assert ledger.lines == ["a"]

    @pytest.mark.parametrize(
        "options",
        [
            {"cache_key_fn": _no_key},
            {"cache_key_fn": _line_as_key, "refresh_cache": True},
            {"cache_key_fn": _line_as_key, "cache_expiration": timedelta(0)},
        ],
        ids=["no-key", "refreshed", "expired"],
    )
    def test_a_task_runs_again_where_nothing_may_be_used(
        self, task_runner: BaseTaskRunner, ledger: Ledger, options: dict[str, Any]
    ) -> None:
        keyed = write.with_options(**options)

        @flow(task_runner=task_runner)
        def caches() -> None:
            keyed.submit(ledger, "a").wait()
            keyed.submit(ledger, "a").wait()

        caches()

        assert ledger.lines == ["a", "a"]

    def test_a_key_that_cannot_be_made_fails_the_task(
        self, task_runner: BaseTaskRunner, ledger: Ledger
    ) -> None:
        keyed = write.with_options(cache_key_fn=_broken_key)

        @flow(task_runner=task_runner)
        def caches() -> str:
            return repr(keyed.submit(ledger, "a").result(raise_on_failure=False))

        assert caches() == "LookupError('no key today')"
        assert ledger.lines == []


class HookTests(SuiteBase):
    """Hooks on states run where the flow runs."""

    def test_hooks_hear_of_each_state_in_the_process_of_the_flow(self, task_runner: BaseTaskRunner) -> None:
        heard: list[tuple[str, str, str, int]] = []

        def hear(task: Any, task_run: Any, state: State) -> None:
            heard.append((task.name, task_run.short_name, state.name, os.getpid()))

        hooked = add.with_options(on_running=[hear], on_completion=[hear])
        failing = fail.with_options(on_failure=[hear])

        @flow(task_runner=task_runner)
        def calls_hooks() -> None:
            hooked.submit(1, 2).wait()
            failing.submit().wait()

        calls_hooks(return_state=True)

        assert heard == [
            ("add", "add-0", "Running", os.getpid()),
            ("add", "add-0", "Completed", os.getpid()),
            ("fail", "fail-0", "Failed", os.getpid()),
        ]

    def test_a_hook_that_raises_changes_nothing_but_is_heard_of(
        self, task_runner: BaseTaskRunner, caplog: pytest.LogCaptureFixture
    ) -> None:
        def break_down(task: Any, task_run: Any, state: State) -> None:
            raise RuntimeError("broken hook")

        @flow(task_runner=task_runner)
        def calls_hooks() -> int:
            return add.with_options(on_completion=[break_down]).submit(1, 2).result()

        assert calls_hooks() == 3
        assert "break_down" in caplog.text
        assert "broken hook" in caplog.text


class ContextTests(SuiteBase):
    """What a task can know of itself."""

    def test_a_task_knows_its_run(self, task_runner: BaseTaskRunner, observe: Observe) -> None:
        @task
        def tell() -> list[Any]:
            context: Any = get_run_context()
            run = context.task_run
            return [run.name, run.id, context.attempt, context.run_count, bool(context.worker), run.tags]

        @flow(task_runner=task_runner)
        def asks() -> list[Any]:
            with tags("a", "b"):
                return tell.submit().result()

        observed = observe(asks)
        (run,) = observed.history.task_runs

        assert observed.result == [run.name, run.id, 1, 1, True, ("a", "b")]

    def test_a_task_may_call_another_task(self, task_runner: BaseTaskRunner) -> None:
        @task
        def twice(x: int) -> int:
            return add(x, x)

        @flow(task_runner=task_runner)
        def nests() -> int:
            return twice.submit(2).result()

        assert nests() == 4

    def test_submitting_from_a_task_works_or_is_a_clear_error(self, task_runner: BaseTaskRunner) -> None:
        @task
        def twice(x: int) -> int:
            return add.submit(x, x).result()

        @flow(task_runner=task_runner)
        def nests() -> list[Any]:
            return [future.result(raise_on_failure=False) for future in twice.map(list(range(5)))]

        results = nests()

        if isinstance(results[0], Exception):
            assert [type(result).__name__ for result in results] == ["MissingContext"] * 5
        else:
            assert results == [0, 2, 4, 6, 8]


class LogTests(SuiteBase):
    """Logs and prints of tasks arrive where the flow runs."""

    def test_what_a_task_logs_arrives_with_the_name_of_its_run(
        self, task_runner: BaseTaskRunner, observe: Observe, caplog: pytest.LogCaptureFixture
    ) -> None:
        @task
        def speak() -> None:
            for n in range(3):
                get_run_logger().warning("spoken %d", n)

        @flow(task_runner=task_runner)
        def listens() -> None:
            speak.submit()

        (run,) = observe(listens).history.task_runs

        records = [record for record in caplog.records if "spoken" in record.getMessage()]
        assert [record.getMessage() for record in records] == ["spoken 0", "spoken 1", "spoken 2"]
        assert {(record.name, record.__dict__["task_run_name"]) for record in records} == {
            ("flows.task_runs", run.name)
        }

    def test_what_a_task_prints_is_printed(
        self, task_runner: BaseTaskRunner, capsys: pytest.CaptureFixture[str]
    ) -> None:
        @task
        def speak() -> None:
            print("spoken aloud")  # noqa: T201 - what the test is about

        @flow(task_runner=task_runner)
        def listens() -> None:
            speak.submit()

        listens()

        assert "spoken aloud\n" in capsys.readouterr().out

    def test_prints_go_to_the_log_where_that_is_asked_for(
        self,
        task_runner: BaseTaskRunner,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.INFO)

        @task
        def speak() -> None:
            print("spoken", "quietly", sep="-")  # noqa: T201 - what the test is about

        @flow(task_runner=task_runner, log_prints=True)
        def listens() -> None:
            speak.submit()

        listens()

        assert "spoken-quietly" in caplog.messages
        assert "spoken-quietly" not in capsys.readouterr().out

    def test_the_log_tells_of_each_run_in_the_order_of_the_specification(
        self, task_runner: BaseTaskRunner, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, logger="flows")

        @flow(task_runner=task_runner, name="speaks", flow_run_name="olivine-swan")
        def speaks() -> None:
            add.submit(1, 2).wait()

        speaks()

        name = f"add-{add.task_key}-0"
        expected = [
            "Beginning flow run 'olivine-swan' for flow 'speaks'...",
            f"Starting task runner `{task_runner.name}`...",
            f"Submitting task run '{name}' to task runner...",
            f"Task run '{name}' finished in state Completed(message=None, type=COMPLETED)",
            f"Shutting down task runner `{task_runner.name}`...",
            f"Flow run 'olivine-swan' finished in state {Completed('All states completed.')}",
        ]
        assert [message for message in caplog.messages if message in expected] == expected
