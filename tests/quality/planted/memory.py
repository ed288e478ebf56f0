"""Shared memory without a lock: sync tasks that read, think, and write."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime import flow, task


def lost_update() -> None:
    """Two tasks add one to the same number; one of the two is overwritten."""
    counter = {"value": 0}

    @task
    def increment() -> None:
        seen = counter["value"]
        counter["value"] = seen + 1

    @flow
    def count() -> None:
        increment.submit()
        increment.submit()

    count()
    assert counter["value"] == 2


def check_then_act() -> None:
    """Both tasks find no account of that name, and both open one."""
    opened: list[str] = []

    @task
    def open_account(name: str) -> None:
        if name not in opened:
            opened.append(name)

    @flow
    def sign_up() -> None:
        open_account.submit("ada")
        open_account.submit("ada")

    sign_up()
    assert opened == ["ada"]


def bank_transfer() -> None:
    """Money vanishes, or comes from nowhere, when two transfers meet at one account."""
    accounts = {"a": 100, "b": 100, "c": 100}

    @task
    def transfer(source: str, target: str, amount: int) -> None:
        left = accounts[source] - amount
        gained = accounts[target] + amount
        accounts[source] = left
        accounts[target] = gained

    @flow
    def settle() -> None:
        transfer.submit("a", "b", 10)
        transfer.submit("b", "c", 20)

    settle()
    assert sum(accounts.values()) == 300


def cache_stampede() -> None:
    """Everybody who misses the cache computes, instead of one for all."""
    cache: dict[str, int] = {}
    computed: list[str] = []

    @task
    def look_up(key: str) -> int:
        if key not in cache:
            computed.append(key)
            cache[key] = len(key)
        return cache[key]

    @flow
    def serve() -> None:
        look_up.map(["page", "page", "page"])

    serve()
    assert computed == ["page"]


def lazy_singleton() -> None:
    """The connection is made twice, and whoever came first holds one that nobody else has."""
    made: list[object] = []
    shared: dict[str, object] = {}

    @task
    def connection() -> object:
        if "connection" not in shared:
            fresh = object()
            made.append(fresh)
            shared["connection"] = fresh
        return shared["connection"]

    @flow
    def connect() -> list[object]:
        return [future.result() for future in (connection.submit(), connection.submit())]

    connect()
    assert len(made) == 1


def published_too_early() -> None:
    """A reader is told that the data is ready before it is there."""
    box: dict[str, object] = {"ready": False, "data": None}

    @task
    def publish() -> None:
        box["ready"] = True
        box["data"] = 42

    @task
    def read() -> object:
        return box["data"] if box["ready"] else 42

    @flow
    def share() -> object:
        publish.submit()
        return read.submit().result()

    assert share() == 42


def torn_read() -> None:
    """A reader sees half of a change that belongs together."""

    @dataclass
    class Range:
        low: int = 0
        high: int = 10

    window = Range()

    @task
    def move() -> None:
        window.low = 20
        window.high = 30

    @task
    def width() -> int:
        low = window.low
        return window.high - low

    @flow
    def watch() -> int:
        move.submit()
        return width.submit().result()

    assert watch() == 10


def changed_while_iterated() -> None:
    """A dictionary grows under the hands of the one who goes through it."""
    stock = {"apples": 3, "pears": 4}

    @task
    def total() -> int:
        amount = 0
        for name in stock:
            amount += stock[name]
        return amount

    @task
    def deliver() -> None:
        stock["plums"] = 5

    @flow
    def inventory() -> int:
        counted = total.submit()
        deliver.submit()
        return counted.result()

    inventory()


def used_after_close() -> None:
    """One task closes what another one still uses."""

    @dataclass
    class Connection:
        is_open: bool = True
        sent: list[str] = field(default_factory=list[str])

        def send(self, text: str) -> None:
            if not self.is_open:
                raise OSError("the connection is closed")
            self.sent.append(text)

    connection = Connection()

    @task
    def send_all() -> None:
        connection.send("one")
        connection.send("two")

    @task
    def close_when_idle() -> None:
        if len(connection.sent) != 2:
            connection.is_open = False

    @flow
    def talk() -> None:
        sending = send_all.submit()
        close_when_idle.submit()
        sending.result()

    talk()


def lost_line_in_a_file() -> None:
    """Two tasks read a file, add a line, and write it back; one line is gone."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.txt"
        path.write_text("")

        @task
        def append(line: str) -> None:
            text = path.read_text()
            path.write_text(text + line + "\n")

        @flow
        def log() -> None:
            append.submit("one")
            append.submit("two")

        log()
        assert sorted(path.read_text().split()) == ["one", "two"]


def same_number_twice() -> None:
    """Two orders get one number, since taking it and counting on are two steps."""
    counter = {"next": 1}
    orders: list[int] = []

    @task
    def place_order() -> None:
        number = counter["next"]
        orders.append(number)
        counter["next"] = number + 1

    @flow
    def shop() -> None:
        place_order.submit()
        place_order.submit()
        place_order.submit()

    shop()
    assert len(set(orders)) == 3


def overdrawn() -> None:
    """Both withdrawals are covered when they look, and one of them is not when it takes."""
    account = {"balance": 100}

    @task
    def withdraw(amount: int) -> None:
        if account["balance"] >= amount:
            account["balance"] -= amount

    @flow
    def shop() -> None:
        withdraw.submit(70)
        withdraw.submit(60)

    shop()
    assert account["balance"] >= 0
