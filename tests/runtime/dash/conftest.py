"""A store with runs of a real flow in it, and the page over it."""

import http.client
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from runtime import flow, get_run_logger, task
from runtime.cli.recording import recorded
from runtime.dash import Dash
from runtime.history import SQLiteHistoryStore
from runtime.settings import temporary_settings
from runtime.task_runners import ConcurrentTaskRunner


@task(retries=1)
def fetch(source: int, broken: bool) -> int:
    get_run_logger().warning("asking source %d", source)
    if broken:
        raise ConnectionError(f"source {source} did not answer")
    return source


@task
def load(rows: list[int]) -> int:
    return sum(rows)


@flow
def report(total: int) -> int:
    return load([total])


@flow(task_runner=ConcurrentTaskRunner(max_workers=2))
def nightly(sources: int, broken: bool = False) -> int:
    return report(load.submit([fetch.submit(n, broken and n == 1) for n in range(sources)]).result())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteHistoryStore]:
    """A store with a run that completed, and a later one that failed."""
    home = tmp_path_factory.mktemp("kept")
    with temporary_settings(home=home), recorded():
        nightly(3)
        nightly(3, broken=True, return_state=True)
    with closing(SQLiteHistoryStore(home / "history.db")) as store:
        yield store


@pytest.fixture
def dash(kept: SQLiteHistoryStore) -> Generator[Dash]:
    with Dash(kept) as dash:
        yield dash


@pytest.fixture
def get(dash: Dash) -> Callable[..., http.client.HTTPResponse]:
    """Asks for a path below the base with the cookie of this server; ``headers`` go before ours."""
    address = urlsplit(dash.link)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    connection.request("GET", f"{address.path}?{address.query}")
    entry = connection.getresponse()
    entry.read()
    cookie = str(entry.getheader("Set-Cookie")).partition(";")[0]
    connection.close()

    def get(
        path: str, method: str = "GET", base: str = address.path, **headers: str
    ) -> http.client.HTTPResponse:
        asking = http.client.HTTPConnection(address.netloc, timeout=30)
        given = {"Cookie": cookie, "Connection": "close"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        asking.request(method, f"{base}{path}", headers=given)
        return asking.getresponse()

    return get


def wait_until(says: Callable[[], object], patience: float = 20.0) -> None:
    """Returns when it is so; fails with what it was last."""
    deadline = time.monotonic() + patience
    while not (said := says()):
        assert time.monotonic() < deadline, said
        time.sleep(0.02)
