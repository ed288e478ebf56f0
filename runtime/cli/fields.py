"""A flow run as one line of JSON: the same fields wherever a command gives one."""

import json

from runtime.history.sqlite.listing import FlowRunSummary


def fields_of(summary: FlowRunSummary) -> dict[str, object]:
    """What is known of a flow run, ready for ``json.dumps``."""
    run, state = summary.flow_run, summary.state
    return {
        "id": str(run.id),
        "name": run.name,
        "flow": run.flow_name,
        "state": state.name if state is not None else None,
        "type": state.type.value if state is not None else None,
        "message": state.message if state is not None else None,
        "created": run.created,
        "elapsed": summary.elapsed,
        "run_count": summary.run_count,
        "parameters": json.loads(run.parameters),
        "tags": run.tags,
    }
