"""What runs log and print."""

import logging

import pytest

from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner


@pytest.mark.parametrize("runner", [SequentialTaskRunner, ConcurrentTaskRunner])
def test_a_task_may_log_its_prints_in_a_flow_that_does_not(runner, caplog, capsys):
    caplog.set_level(logging.INFO)

    @task(log_prints=True)
    def talking():
        print("one", 2)

    @flow(task_runner=runner)
    def quiet():
        print("three")
        talking.submit()

    quiet()

    assert "one 2" in [record.getMessage() for record in caplog.records]
    assert capsys.readouterr().out == "three\n"
