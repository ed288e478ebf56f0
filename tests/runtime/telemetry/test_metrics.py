"""Runs as metrics, in a real registry of Prometheus."""

import subprocess
import sys
import textwrap

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from runtime import flow, task
from runtime.settings import temporary_settings
from runtime.telemetry import Metrics


@pytest.fixture
def registry(plug_in):
    registry = CollectorRegistry()
    plug_in(Metrics(registry))
    return registry


@task
def add(x, y):
    return x + y


@task(retries=2)
def fail():
    raise ValueError("not today")


@flow
def whole():
    add.map([1, 2, 3], 1)
    add.submit(fail.submit(), 1)


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("flows_flow_runs_total", {"flow": "whole", "state": "failed"}, 1),
        ("flows_task_runs_total", {"task": "add", "state": "completed"}, 3),
        ("flows_task_runs_total", {"task": "add", "state": "notready"}, 1),
        ("flows_task_runs_total", {"task": "fail", "state": "failed"}, 1),
        ("flows_task_retries_total", {"task": "fail"}, 2),
        ("flows_task_runs_under_way", {"task": "add"}, 0),
        ("flows_flow_runs_under_way", {"flow": "whole"}, 0),
        ("flows_task_run_seconds_count", {"task": "add"}, 4),
        ("flows_flow_run_seconds_count", {"flow": "whole"}, 1),
    ],
)
def test_runs_are_counted_and_measured(registry, name, labels, value):
    whole(return_state=True)

    assert registry.get_sample_value(name, labels) == value


def test_what_is_under_way_is_known_meanwhile(registry):
    seen = []

    @task
    def looks():
        seen.append(registry.get_sample_value("flows_task_runs_under_way", {"task": "looks"}))

    @flow
    def watches():
        looks.submit()

    watches()

    assert seen == [1]


def test_a_flow_run_is_measured_once_however_often_it_is_tried(registry):
    @flow(retries=3)
    def keeps_failing():
        raise ValueError("no")

    keeps_failing(return_state=True)

    assert registry.get_sample_value("flows_flow_run_seconds_count", {"flow": "keeps-failing"}) == 1


def test_where_a_file_is_set_it_holds_the_metrics_when_a_flow_run_has_ended(registry, tmp_path):
    with temporary_settings(metrics_file=tmp_path / "flows.prom"):
        whole(return_state=True)

    families = {
        family.name: family
        for family in text_string_to_metric_families((tmp_path / "flows.prom").read_text())
    }
    (sample,) = families["flows_flow_runs"].samples
    assert (sample.labels, sample.value) == ({"flow": "whole", "state": "failed"}, 1)


def test_a_file_that_cannot_be_written_is_heard_of_and_changes_nothing(registry, tmp_path, caplog):
    @flow
    def ends():
        return 3

    with temporary_settings(metrics_file=tmp_path / "nowhere" / "flows.prom"):
        assert ends() == 3

    assert "The metrics were not written to" in caplog.text


@pytest.mark.slow
def test_plugins_that_the_environment_names_are_there_from_the_first_run(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            from prometheus_client import REGISTRY
            from opentelemetry import trace
            from runtime import flow

            @flow
            def looks():
                print(REGISTRY.get_sample_value("flows_flow_runs_under_way", {"flow": "looks"}))

            looks()
        """)
    )
    names = "runtime.telemetry:Spans, runtime.telemetry:Metrics"

    ran = subprocess.run(
        [sys.executable, script],
        env={"FLOWS_PLUGINS": names, "HOME": str(tmp_path), "FLOWS_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (ran.stdout, ran.stderr) == ("1.0\n", "")
