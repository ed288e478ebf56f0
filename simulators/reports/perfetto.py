"""The report as a trace, for https://ui.perfetto.dev or chrome://tracing."""

import json
from typing import Any

from simulators.reports.stories import Story

#: how long a step is drawn, in the viewer's microseconds: in virtual time most take none
_STEP = 10


def perfetto(story: Story) -> str:
    """JSON in the Trace Event Format: a thread for each run, a slice for each step, in order of steps."""
    lane_of = {lane: number for number, lane in enumerate(story.lanes, 1)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": story.test}},
        *(
            {"ph": "M", "name": "thread_name", "pid": 1, "tid": number, "args": {"name": lane}}
            for lane, number in lane_of.items()
        ),
    ]
    for event in story.events:
        base = {"pid": 1, "tid": lane_of[event.run], "ts": event.number * _STEP}
        args = {"virtual time": event.moment, "place": event.where, "action": event.action}
        events.append({**base, "ph": "X", "dur": _STEP, "name": event.code or event.action, "args": args})
        if event.decisive:
            events.append({**base, "ph": "i", "s": "p", "name": "decision"})
    about = {"error": story.problem, "verdict": story.verdict, "schedule": str(story.schedule)}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": about}, indent=1)
