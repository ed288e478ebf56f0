"""One entry of a history."""

from runtime.runs import FlowRun, TaskRun
from runtime.states import State


class StateChange:
    """One entry of a history: ``run`` was in ``state`` from here on. The state carries no data."""

    __slots__ = ("at", "attempt", "elapsed", "index", "run", "run_count", "state", "worker")

    def __init__(
        self,
        run: FlowRun | TaskRun,
        index: int,
        state: State,
        at: float,
        elapsed: float,
        attempt: int = 0,
        run_count: int = 1,
        worker: str | None = None,
    ) -> None:
        self.run = run
        #: position among all changes of the outermost flow run, from 0, without gaps
        self.index = index
        self.state = state
        #: seconds since the epoch
        self.at = at
        #: seconds since the outermost flow run began, on a clock that never runs backwards
        self.elapsed = elapsed
        #: the attempt that the run was at, from 1; 0 before the first
        self.attempt = attempt
        #: the flow run's own attempt; a state is final within one of these
        self.run_count = run_count
        #: where the attempt ran, once that is known
        self.worker = worker

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same run, whenever and wherever it happened."""
        if not isinstance(other, StateChange):
            return NotImplemented
        return self._said() == other._said()

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        return self.run.short_name, self.state, self.attempt, self.run_count

    def __repr__(self) -> str:
        where = f" on {self.worker}" if self.worker else ""
        return f"<{self.index} {self.run.short_name} {self.state.name} +{self.elapsed:.6f}s{where}>"
