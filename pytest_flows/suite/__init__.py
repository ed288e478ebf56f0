"""The tests that every task runner passes, also one that was written elsewhere.

    class TestMyTaskRunner(TaskRunnerStandardTestSuite):
        @pytest.fixture
        def task_runner(self):
            return MyTaskRunner()

The tests hold the runner to its ``concurrency_type``: what a sequential one need not do, it must not do.
No test sleeps to get an order, and none relies on memory that is shared with workers.
"""

from pytest_flows.suite.calls import CallTests, SubflowTests
from pytest_flows.suite.conclusions import ConclusionTests
from pytest_flows.suite.failures import FailureTests, HandoverTests
from pytest_flows.suite.futures import CancellationTests, FutureTests
from pytest_flows.suite.outcomes import OutcomeTests
from pytest_flows.suite.retries import RetryTests, TimeoutTests
from pytest_flows.suite.runners import ConcurrencyTests, RunnerTests
from pytest_flows.suite.surroundings import CacheTests, ContextTests, HookTests, LogTests
from pytest_flows.suite.upstream import UpstreamTests

__all__ = ["TaskRunnerStandardTestSuite"]


class TaskRunnerStandardTestSuite(
    RunnerTests,
    CallTests,
    SubflowTests,
    UpstreamTests,
    ConclusionTests,
    FutureTests,
    CancellationTests,
    FailureTests,
    HandoverTests,
    RetryTests,
    TimeoutTests,
    CacheTests,
    HookTests,
    ContextTests,
    LogTests,
    ConcurrencyTests,
    OutcomeTests,
):
    """Subclass it with a fixture ``task_runner`` that returns the runner, not started.

    ``shares_memory`` and ``many`` may be set; see there.
    """
