"""The result of a flow run, kept for one that is resumed: what completed need not be done again."""

from runtime.caching import cached, flow_result_key, persist, persists
from runtime.lifecycle import BodyReturned
from runtime.runs import FlowCall, FlowRun
from runtime.states import Completed, State


class KeptFlowResult:
    """What the function of one flow run returned, where the flow asks for it to be kept.

    Data alone is kept, and None. A flow that returns states or futures is called again: its tasks have
    results of their own.
    """

    def __init__(self, call: FlowCall, flow_run: FlowRun) -> None:
        self._key = flow_result_key(flow_run, call.parameters) if persists(call.definition.policy) else None

    def found(self, now: float) -> BodyReturned | None:
        """What the function returned in an earlier process, if it is there at ``now``, since the epoch."""
        kept = cached(self._key, now) if self._key is not None else None
        return None if kept is None else BodyReturned(Completed(name="Cached", data=kept.value))

    def keep(self, value: object, conclusion: State) -> None:
        """Keep what the function returned, before anybody hears that the run has completed."""
        is_data = conclusion.data is value and not isinstance(value, State)
        if self._key is not None and conclusion.is_completed() and is_data:
            persist(self._key, value)
