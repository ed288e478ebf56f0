"""Outcomes that must stay the same: each property finds its bug, and passes where there is none."""

import pytest

from runtime import flow, task
from simulators import FailureFound
from simulators.faults import LostResult, WorkerDeath
from simulators.properties import (
    OtherOutcome,
    assert_deterministic_result,
    assert_exactly_once,
    assert_idempotent,
)
from tests.simulators.properties import shop


def rows_appended():
    shop.appends()
    return sorted(shop.ROWS)


def rows_put():
    shop.puts()
    return sorted(shop.KEYED)


def test_a_task_that_appends_is_not_idempotent():
    with pytest.raises(FailureFound) as found:
        assert_idempotent(rows_appended, points="operations")

    failure = found.value.failure
    assert isinstance(failure.error, OtherOutcome)
    assert "should be '[1, 2]'" in str(failure.error)
    (decision,) = failure.shrunk.deviations
    assert str(decision.chosen).endswith("!DuplicateCall")


def test_a_task_that_puts_is_idempotent():
    exploration = assert_idempotent(rows_put, strategy="dpor", points="declared")

    assert exploration.complete


def test_an_effect_that_comes_before_the_report_may_be_there_twice():
    with pytest.raises(FailureFound) as found:
        assert_exactly_once(
            shop.appends_for_sure, lambda: shop.ROWS, faults=[WorkerDeath()], points="operations"
        )

    failure = found.value.failure
    assert "is there 2 times" in str(failure.error)
    (decision,) = failure.shrunk.deviations
    assert str(decision.chosen).endswith("!WorkerDeath.unreported")


def test_an_effect_that_is_looked_for_first_is_there_once():
    exploration = assert_exactly_once(
        shop.appends_if_missing, lambda: shop.ROWS, faults=[WorkerDeath(), LostResult()], points="operations"
    )

    assert exploration.executions == 200


def test_an_effect_that_is_missing_is_found():
    def forgets():
        shop.clear()
        try:
            return shop.appends()
        except Exception:
            shop.ROWS.sort()
            return None

    with pytest.raises(FailureFound, match="is missing"):
        assert_exactly_once(
            forgets, lambda: shop.ROWS, faults=[WorkerDeath(when=("before",))], points="operations"
        )


@task
def name(value):
    return value


@flow
def first_come():
    order = []
    futures = [name.submit(letter) for letter in "ab"]
    for future in futures:
        future.add_done_callback(lambda done: order.append(done.result()))
    for future in futures:
        future.wait()
    return "".join(order)


@flow
def in_order():
    return "".join(future.result() for future in name.map(["a", "b"]))


def test_a_result_that_depends_on_who_comes_first_is_not_deterministic():
    with pytest.raises(FailureFound) as found:
        assert_deterministic_result(first_come, points="operations")

    assert str(found.value.failure.error) == "The outcome is 'ba', and should be 'ab'."
    assert len(found.value.failure.shrunk.deviations) == 1


def test_a_result_in_order_of_submission_is_deterministic():
    assert assert_deterministic_result(in_order, strategy="dpor", points="declared").complete


def test_a_test_that_fails_without_any_fault_is_told_of():
    def fails():
        raise ValueError("by itself")

    with pytest.raises(FailureFound, match="by itself"):
        assert_idempotent(fails)


def test_async_tests_have_properties_too():
    async def waits():
        return "same"

    assert assert_deterministic_result(waits, strategy="dpor", points="declared").complete
