import pytest
from orders import Stock, selling


def test_what_is_not_there_is_not_sold():
    # On a cluster each task gets a copy of the stock, so only the answer counts.
    assert selling(Stock({"apple": 1}), [("apple", 2)]) == 0


@pytest.mark.simulate
@pytest.mark.xfail(raises=AssertionError, reason="take() looks first and takes then: a planted race")
def test_never_more_is_sold_than_there_was():
    stock = Stock({"apple": 3})

    selling(stock, [("apple", 2), ("apple", 2)])

    assert stock.sold <= 3
