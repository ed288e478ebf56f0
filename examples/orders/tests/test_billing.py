from pathlib import Path

import pytest
from orders import Order, billing, read

from pytest_flows import assert_ran_before

DATA = Path(__file__).parents[1] / "data"


def test_each_customer_gets_one_bill():
    assert billing(DATA) == {"ada": 3 * 30 + 120, "bob": 45 + 2 * 30}


def test_files_are_read_before_they_are_priced(flow_runs):
    billing(DATA)

    history = flow_runs["billing"]
    assert history["price-0"] == ["Pending", "Running", "Completed"]
    assert_ran_before(history, "read-1", "price-1")
    assert_ran_before(history, "price-1", "add_up-0")


def test_an_item_without_a_price_fails_the_bill(flow_stub, flow_runs):
    flow_stub(read, returns=[Order("ada", "melon", 1)])

    assert billing(DATA, return_state=True).is_failed()
    assert "Failed" in flow_runs["billing"]["price-0"]
    assert "NotReady" in flow_runs["billing"]["add_up-0"]


@pytest.mark.task_runners("sequential", "concurrent", "dask", "ray")
def test_a_file_that_is_not_there_yet_is_read_again(flow_clock, flow_stub, flow_runs):
    flow_stub(read, side_effect=[FileNotFoundError("not yet"), [Order("ada", "apple", 1)]])

    assert billing(DATA) == {"ada": 2 * 30}

    for name in ("read-0", "read-1"):
        assert flow_runs["billing"][name].names.count("AwaitingRetry") == 1
