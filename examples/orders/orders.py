"""The orders of a small shop: read, priced, and taken from the stock."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from runtime import flow, get_run_logger, task

PRICES = {"apple": 30, "pear": 45, "quince": 120}


@dataclass(frozen=True)
class Order:
    customer: str
    item: str
    count: int


@dataclass
class Stock:
    items: dict[str, int] = field(default_factory=dict)
    sold: int = 0


@task(retries=2, retry_delay_seconds=30)
def read(path: Path) -> list[Order]:
    with path.open(newline="") as file:
        return [Order(row["customer"], row["item"], int(row["count"])) for row in csv.DictReader(file)]


@task
def price(orders: list[Order]) -> Counter[str]:
    """What each customer is to pay, in cents."""
    bills: Counter[str] = Counter()
    for order in orders:
        bills[order.customer] += PRICES[order.item] * order.count
    return bills


@task
def add_up(bills: list[Counter[str]]) -> Counter[str]:
    return sum(bills, Counter())


@flow
def billing(folder: Path) -> Counter[str]:
    """One bill for each customer, from all files of a folder."""
    files = sorted(folder.glob("*.csv"))
    get_run_logger().info("%d files", len(files))
    return add_up.submit(price.map(read.map(files))).result()


@task
def take(stock: Stock, item: str, count: int) -> bool:
    """Take something from the stock, if there is enough of it. Two at a time can take too much."""
    available = stock.items[item]
    if available < count:
        return False
    stock.items[item] = available - count
    stock.sold += count
    return True


@flow
def selling(stock: Stock, orders: list[tuple[str, int]]) -> int:
    """How many orders could be served."""
    taken = [take.submit(stock, item, count) for item, count in orders]
    return sum(future.result() for future in taken)
