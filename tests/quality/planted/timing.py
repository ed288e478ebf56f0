"""Time: retries, timeouts, and what is taken for granted about who comes first."""

import threading
import time

from runtime import flow, task
from runtime.futures import as_completed


def completed_in_order() -> None:
    """Results are matched with inputs by the order in which they come."""

    @task
    def square(n: int) -> int:
        return n * n

    @flow
    def squares() -> dict[int, int]:
        futures = square.map([1, 2, 3])
        return {n: future.result() for n, future in zip([1, 2, 3], as_completed(futures), strict=True)}

    assert squares() == {1: 1, 2: 4, 3: 9}


def applied_twice_on_retry() -> None:
    """The payment is booked before the receipt is written; a retry books it again."""
    ledger: list[int] = []
    printer = {"busy": False}

    @task(retries=1, retry_delay_seconds=10)
    def pay(amount: int) -> None:
        ledger.append(amount)
        if printer["busy"]:
            raise OSError("the printer is busy")

    @task
    def print_report() -> None:
        printer["busy"] = True
        printer["busy"] = False

    @flow
    def month_end() -> None:
        pay.submit(100)
        print_report.submit()

    month_end()
    assert ledger == [100]


def retry_storm() -> None:
    """Clients that were turned away together come back together, and are turned away again."""
    desk = threading.Semaphore(1)
    refused: list[int] = []

    @task(retries=2, retry_delay_seconds=1)
    def visit(client: int) -> None:
        if not desk.acquire(blocking=False):
            refused.append(client)
            raise TimeoutError("no desk is free")
        served = client
        desk.release()
        assert served == client

    @flow
    def opening_hour() -> None:
        visit.map([1, 2, 3])

    opening_hour()
    assert len(refused) < 3


def semaphore_leaked_on_timeout() -> None:
    """A task that is stopped between ``acquire`` and ``try`` keeps the permit for ever."""
    permits = threading.Semaphore(1)
    stock = {"ready": False}

    @task(timeout_seconds=5)
    def fetch() -> None:
        permits.acquire()
        while not stock["ready"]:
            time.sleep(2)
        permits.release()

    @task
    def fill() -> None:
        time.sleep(4)
        stock["ready"] = True

    @task
    def use() -> None:
        time.sleep(6)
        with permits:
            pass

    @flow
    def market() -> None:
        fill.submit()
        fetch.submit()
        use.submit()

    market()


def stale_after_timeout() -> None:
    """The answer comes at the very moment at which one stops waiting, and the old one is kept."""
    price = {"value": 1}

    @task
    def refresh() -> int:
        time.sleep(5)
        price["value"] = 2
        return 2

    @flow
    def quote_price() -> tuple[int, int]:
        fresh = refresh.submit()
        time.sleep(1)
        state = fresh.wait(4)
        shown = 2 if state is not None else price["value"]
        fresh.wait()
        return shown, price["value"]

    shown, true = quote_price()
    assert shown == true


def last_writer_wins() -> None:
    """What was submitted last is thought to be written last."""
    settings: dict[str, str] = {}

    @task
    def write(value: str) -> None:
        settings["mode"] = value

    @flow
    def configure() -> None:
        write.submit("draft")
        write.submit("final")

    configure()
    assert settings["mode"] == "final"


def flushed_twice() -> None:
    """A batch is full and its time is up at once: both send it."""
    batch = ["a", "b"]
    sent: list[str] = []

    @task
    def flush_when_full() -> None:
        if len(batch) >= 2:
            sent.extend(batch)
            batch.clear()

    @task
    def flush_in_time() -> None:
        if batch:
            sent.extend(batch)
            batch.clear()

    @flow
    def collect() -> None:
        flush_when_full.submit()
        flush_in_time.submit()

    collect()
    assert sent == ["a", "b"]


def woken_by_nobody() -> None:
    """Who waits looks first and says so after; what comes in between is found half a second late."""
    orders: list[str] = []
    idle = threading.Event()
    came = threading.Event()

    @task
    def cook() -> str:
        while not orders:
            idle.set()
            came.wait(0.5)
        return orders.pop()

    @task
    def order() -> None:
        orders.append("soup")
        if idle.is_set():
            came.set()

    @flow
    def kitchen() -> None:
        served = cook.submit()
        order.submit()
        served.result()

    began = time.monotonic()
    kitchen()
    assert time.monotonic() == began
