"""What a search has shown, in full, and never more."""

import threading
import time

import pytest

from simulators import access, check, explore
from simulators.strategies import DPOR, Exhaustive


def update() -> None:
    access("x")
    access("x", write=True)


def updates() -> None:
    threads = [threading.Thread(target=update) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def behind_a_lock() -> None:
    lock, numbers = threading.Lock(), [0]

    def add() -> None:
        with lock:
            numbers[0] += 1

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [2]


def test_it_asserts_in_one_line():
    assert check(behind_a_lock, strategy="dpor", points="accesses").certificate.race_free


def test_it_says_what_was_proven_and_about_which_code():
    certificate = explore(behind_a_lock, strategy="dpor", points="accesses").certificate

    assert certificate.complete
    assert (certificate.points, certificate.strategy, certificate.traces) == ("accesses", "dpor", 2)
    assert certificate.bounds == {"step_limit": 200_000, "seconds": 600}
    assert __file__ in certificate.modules
    assert str(certificate).startswith("all 2 traces at points=accesses: no failure")


def test_a_race_is_not_race_free():
    certificate = explore(updates, strategy="dpor", points="declared").certificate

    assert certificate.complete
    assert certificate.races == 2
    assert not certificate.race_free


def test_a_sample_is_not_complete():
    certificate = explore(updates, strategy="random", points="declared", schedules=50).certificate

    assert not certificate.complete
    assert certificate.gaps == ("it stopped after 50 schedules (schedules=50)",)
    assert "is missed with a chance of 5 %" in str(certificate)


@pytest.mark.parametrize(
    "strategy", [DPOR(preemptions=0), Exhaustive(preemptions=0)], ids=["dpor", "exhaustive"]
)
def test_what_a_bound_cut_off_is_not_complete(strategy):
    certificate = explore(updates, strategy=strategy, points="declared").certificate

    assert not certificate.complete
    assert certificate.bounds["preemptions"] == 0
    assert "not complete: a bound of the strategy cut schedules off" in str(certificate)


def test_a_bound_that_nothing_met_leaves_it_complete():
    assert explore(updates, strategy=DPOR(preemptions=9), points="declared").certificate.complete


def test_a_search_that_does_not_end_stops_in_time_and_says_so():
    def endless() -> None:
        for _ in range(20):
            update()

    def test() -> None:
        threads = [threading.Thread(target=endless) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    began = time.monotonic()
    certificate = explore(test, strategy="dpor", points="declared", seconds=0.5).certificate

    assert time.monotonic() - began < 60
    assert not certificate.complete
    assert certificate.gaps == ("it stopped after 0.5 s (seconds=0.5; give it more)",)
    assert "not complete: it stopped after 0.5 s" in str(certificate)


def test_the_first_failure_ends_a_search_before_it_is_complete():
    def fails() -> None:
        updates()
        raise ValueError

    certificate = explore(fails, strategy="dpor", points="declared").certificate

    assert certificate.failures == 1
    assert certificate.gaps == ("it stopped at the first failure",)
