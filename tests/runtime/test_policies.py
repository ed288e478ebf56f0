"""The options that decide how a run proceeds."""

from datetime import timedelta

import pytest

from runtime.policies import RunPolicy, retry_delays


def test_a_policy_without_options_makes_one_attempt_and_no_more():
    policy = RunPolicy()

    assert (policy.retries, policy.timeout, policy.cache_key_fn) == (0, None, None)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"retries": -1}, ValueError, "retries must be 0 or more, not -1"),
        ({"retries": 1.5}, TypeError, "retries must be a whole number, not 1.5"),
        ({"retries": True}, TypeError, "retries must be a whole number, not True"),
        ({"retries": "3"}, TypeError, "retries must be a whole number, not '3'"),
        ({"retry_jitter_factor": -0.1}, ValueError, "retry_jitter_factor must be 0 or more"),
        ({"retry_jitter_factor": "much"}, TypeError, "retry_jitter_factor must be a number"),
        ({"timeout": 0}, ValueError, "timeout_seconds must be more than 0, not 0"),
        ({"timeout": -1}, ValueError, "timeout_seconds must be more than 0"),
        ({"timeout": float("nan")}, ValueError, "timeout_seconds must be more than 0"),
        ({"timeout": float("inf")}, ValueError, "timeout_seconds must be more than 0"),
        ({"timeout": "1"}, TypeError, "timeout_seconds must be a number"),
        ({"timeout": True}, TypeError, "timeout_seconds must be a number"),
        ({"retry_condition_fn": "always"}, TypeError, "retry_condition_fn must be callable"),
        ({"cache_key_fn": "key"}, TypeError, "cache_key_fn must be callable, not 'key'"),
        ({"cache_expiration": 3}, TypeError, "cache_expiration must be a timedelta, not 3"),
        ({"refresh_cache": None}, TypeError, "refresh_cache must be True or False"),
        ({"persist_result": "yes"}, TypeError, "persist_result must be True or False"),
        ({"log_prints": 1}, TypeError, "log_prints must be True, False or None"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        RunPolicy(**options)


@pytest.mark.parametrize(
    ("given", "delays"),
    [
        (None, (0.0,)),
        (3, (3.0,)),
        (0, (0.0,)),
        (2.5, (2.5,)),
        ([1, 2.5], (1.0, 2.5)),
        ((1, 2), (1.0, 2.0)),
        (timedelta(minutes=1), (60.0,)),
        ([timedelta(seconds=1), 2], (1.0, 2.0)),
        (lambda retries: [2**n for n in range(retries)], (1.0, 2.0, 4.0)),
        (lambda retries: 7, (7.0,)),
    ],
)
def test_delays_are_given_as_a_number_a_list_or_a_function(given, delays):
    assert retry_delays(given, retries=3) == delays


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ValueError, "must not be empty"),
        (-1, ValueError, "retry_delay_seconds must be 0 or more, not -1"),
        (timedelta(seconds=-1), ValueError, "retry_delay_seconds must be 0 or more"),
        (float("inf"), ValueError, "retry_delay_seconds must be 0 or more"),
        (float("nan"), ValueError, "retry_delay_seconds must be 0 or more"),
        ("soon", TypeError, "retry_delay_seconds must be a number, not 'soon'"),
        ([1, None], TypeError, "retry_delay_seconds must be a number, not None"),
        (lambda retries: "soon", TypeError, "retry_delay_seconds must be a number, not 'soon'"),
    ],
)
def test_delays_that_are_none_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        retry_delays(given, retries=3)


def test_a_function_may_list_no_delays_where_there_are_no_retries():
    assert retry_delays(lambda retries: [1.0] * retries, retries=0) == (0.0,)
    with pytest.raises(ValueError, match="must not be empty"):
        retry_delays(lambda retries: [], retries=1)


def test_each_failure_has_its_delay_and_the_last_one_repeats():
    policy = RunPolicy(retries=9, retry_delays=(1.0, 5.0))

    assert [policy.retry_delay(failures, 0.0) for failures in (1, 2, 3, 9)] == [1.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(("fraction", "delay"), [(0.0, 10.0), (0.5, 15.0), (1.0, 20.0)])
def test_jitter_stretches_a_delay_and_never_shortens_it(fraction, delay):
    policy = RunPolicy(retries=1, retry_delays=(10.0,), retry_jitter_factor=1.0)

    assert policy.retry_delay(1, fraction) == delay
