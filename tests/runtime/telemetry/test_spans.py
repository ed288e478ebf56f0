"""Runs as spans, made by the real SDK of OpenTelemetry."""

import asyncio
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner
from runtime.telemetry import Spans
from tests.runtime.remote.carrier import Carrier


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def traced(plug_in, exporter, provider):
    """Runs a flow and gives its spans by name; where several have one, the last."""
    plugin = plug_in(Spans(provider))

    def run(flow, *arguments):
        flow(*arguments, return_state=True)
        assert plugin._spans == {}
        return {span.name: span for span in exporter.get_finished_spans()}

    return run


@task
def add(x, y):
    return x + y


@task(retries=1)
def fail():
    raise ValueError("not today")


@pytest.mark.parametrize("runner", [SequentialTaskRunner(), ConcurrentTaskRunner()], ids=["one", "many"])
def test_each_run_is_a_span_below_whoever_made_it(traced, runner):
    @flow
    def part():
        add(1, 2)

    @flow(task_runner=runner)
    def whole():
        add.with_options(name="first").submit(1, 2)
        part()

    spans = traced(whole)

    assert set(spans) == {"flow whole", "flow part", "task add", "task first"}
    assert spans["flow whole"].parent is None
    assert spans["task first"].parent.span_id == spans["flow whole"].context.span_id
    assert spans["flow part"].parent.span_id == spans["flow whole"].context.span_id
    assert spans["task add"].parent.span_id == spans["flow part"].context.span_id
    assert len({span.context.trace_id for span in spans.values()}) == 1
    assert all(span.status.status_code is StatusCode.OK for span in spans.values())


def test_the_states_of_a_run_are_the_events_of_its_span(traced, flow_runs):
    @flow
    def fails():
        fail.submit()

    span = traced(fails)["task fail"]

    change = flow_runs[-1]["fail-0"][-1]
    assert [event.name for event in span.events] == [
        "Pending",
        "Running",
        "AwaitingRetry",
        "Retrying",
        "Failed",
    ]
    assert [event.attributes["flows.attempt"] for event in span.events] == [0, 1, 1, 2, 2]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, change.state.message)
    assert span.attributes["flows.run.id"] == str(change.run.id)
    assert span.attributes["flows.state"] == "Failed"
    assert span.end_time == int(change.at * 1e9)


def test_what_never_ran_and_what_was_tried_again_have_spans_that_end(traced):
    tries = []

    @flow(retries=1)
    def tries_again():
        tries.append(add.submit(fail.submit(), 1))

    spans = traced(tries_again)

    assert spans["task add"].attributes["flows.state"] == "NotReady"
    assert spans["task add"].attributes["flows.run.count"] == 2
    assert spans["task add"].status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("runner", [SequentialTaskRunner(), ConcurrentTaskRunner()], ids=["one", "many"])
def test_what_code_in_a_run_traces_hangs_below_its_span(traced, provider, runner):
    tracer = trace.get_tracer("mine", tracer_provider=provider)

    @task
    def works():
        with tracer.start_as_current_span("in task"):
            pass

    @task
    async def works_async():
        with tracer.start_as_current_span("in async task"):
            pass

    @flow(task_runner=runner)
    def whole():
        with tracer.start_as_current_span("in flow"):
            works.submit()
            works_async.submit()

    with tracer.start_as_current_span("around"):
        spans = traced(whole)

    def below(name, owner):
        assert spans[name].parent.span_id == spans[owner].context.span_id

    below("in task", "task works")
    below("in async task", "task works_async")
    below("in flow", "flow whole")
    below("task works", "flow whole")
    assert trace.get_current_span().get_span_context().span_id == 0


def test_an_async_flow_is_traced_like_any_other(traced, provider):
    tracer = trace.get_tracer("mine", tracer_provider=provider)

    @flow
    async def later():
        with tracer.start_as_current_span("in flow"):
            await asyncio.sleep(0)
            add.submit(1, 2)

    spans = traced(lambda return_state: asyncio.run(later(return_state=return_state)))

    assert spans["in flow"].parent.span_id == spans["flow later"].context.span_id


@task
def seen():
    return trace.get_current_span().get_span_context()


@pytest.mark.slow
def test_the_span_of_a_task_run_is_current_in_another_process(traced):
    contexts = []

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:

        @flow(task_runner=Carrier(pool))
        def asks():
            futures = [seen.submit(), seen.submit()]
            contexts.extend(future.result() for future in futures)

        spans = traced(asks)

    assert contexts[1].span_id == spans["task seen"].context.span_id
    assert contexts[1].trace_id == contexts[0].trace_id == spans["flow asks"].context.trace_id
    assert contexts[1].span_id != contexts[0].span_id


def test_without_a_plugin_nothing_of_it_is_imported():
    program = """
import sys
from runtime import flow, task
@flow
def empty(): pass
empty()
import runtime.telemetry
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "prometheus_client"))))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"
