"""Flows under observation, for all tests of the runtime."""

import pytest

from pytest_flows.suite.base import checked_store, observing
from pytest_flows.suite.gates import Gate, Ledger
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner

#: plugins of others that are installed to be tested with, and take no part in any other test
NEIGHBOURS = ("anyio", "asyncio", "hypothesispytest", "randomly", "rerunfailures")


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Pytest's own, whose runs load none of the neighbours."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in NEIGHBOURS if name != "anyio"))
    return pytester


@pytest.fixture
def store():
    """Keeps the histories of a test's flow runs; what is true of every history is checked at the end."""
    with checked_store() as store:
        yield store


@pytest.fixture
def observe(store):
    """Runs a flow, sync or async, to its end: ``observe(flow, *args).state`` and ``.history``."""
    return observing(store)


@pytest.fixture(params=[SequentialTaskRunner, ConcurrentTaskRunner], ids=["sequential", "concurrent"])
def runner(request):
    """Each runner that runs tasks in this process."""
    return request.param()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")
