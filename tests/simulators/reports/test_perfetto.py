import itertools
import json

from simulators.reports import Story, perfetto


def test_the_trace_has_a_thread_for_each_run_and_a_slice_for_each_step(lost_update: Story):
    trace = json.loads(perfetto(lost_update))

    events = trace["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    slices = [event for event in events if event["ph"] == "X"]
    assert sorted(threads.values()) == ["add-0", "add-1", "main"]
    assert [threads[each["tid"]] for each in slices] == ["main", "add-0", "add-1", "add-1", "add-0", "main"]
    assert slices[1]["name"] == 'seen = counter["value"]'
    assert slices[4]["args"]["virtual time"] == 1.5
    assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in itertools.pairwise(slices))


def test_decisions_are_marked_in_the_trace(lost_update: Story):
    trace = json.loads(perfetto(lost_update))

    marks = [event for event in trace["traceEvents"] if event["ph"] == "i"]
    assert [mark["name"] for mark in marks] == ["decision"]
    assert trace["otherData"]["schedule"].startswith("fs1-")
