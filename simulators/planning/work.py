"""Work: what a recorded flow run had to do, apart from who did it when.

What may begin when
-------------------
A history tells which results a task run waited for, and when it was submitted. It does not tell what the
flow's own code waited for before it submitted more: a result that was passed on by hand leaves no edge. So
where the flow paused between two submissions, and task runs ended meanwhile, the last of these is taken for
what it waited for. Where it paused and none ended, it was busy itself, and would be again.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from runtime.history import FlowRunHistory, StateHistory
from runtime.runs import TaskRun
from runtime.states import StateType

#: seconds between two submissions that are no pause
PAUSE = 0.005


class Piece(NamedTuple):
    """One task run. Other pieces are named by their positions, which are smaller than its own."""

    name: str
    #: seconds that a worker needs for it, all attempts together
    work: float
    #: pieces whose results it waits for
    upstream: tuple[int, ...] = ()
    #: it is submitted so many seconds after an event of another piece, or of the flow where that is None
    delay: float = 0.0
    anchor: int | None = None
    event: Literal["submission", "beginning", "end"] = "submission"


@dataclass(frozen=True)
class Work:
    """All that a flow run had to do."""

    pieces: tuple[Piece, ...]
    #: seconds that the flow took after its last task run had ended
    tail: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of work, all pieces together."""
        return sum(piece.work for piece in self.pieces)

    @classmethod
    def of(cls, history: FlowRunHistory) -> "Work":
        """The work of a recorded flow run. Task runs that never began are left out."""
        times = [_times(history, run) for run in history.task_runs]
        timed = sorted((found for found in times if found is not None), key=lambda found: found.submitted)
        began = history.states[0].elapsed
        last = max((found.ended for found in timed), default=began)
        return cls(_pieces(timed, began), max(0.0, history.states[-1].elapsed - last))


class _Times(NamedTuple):
    run: TaskRun
    name: str
    submitted: float
    began: float
    ended: float
    work: float


def _times(history: FlowRunHistory, run: TaskRun) -> _Times | None:
    changes: StateHistory = history[run.id]
    began, ended, work = None, changes[0].elapsed, 0.0
    for change, after in pairwise(changes):
        if change.state.type is StateType.RUNNING:
            began = change.elapsed if began is None else began
            ended = after.elapsed
            work += after.elapsed - change.elapsed
    if began is None:
        return None
    return _Times(run, history.path(run), changes[0].elapsed, began, ended, work)


def _pieces(timed: Sequence[_Times], flow_began: float) -> tuple[Piece, ...]:
    places = {found.run.id: place for place, found in enumerate(timed)}
    ends = sorted((found.ended, place) for place, found in enumerate(timed))
    pieces: list[Piece] = []
    before, moment = None, flow_began
    for place, found in enumerate(timed):
        inputs = {places[item.task_run] for item in found.run.inputs if item.task_run in places}
        upstream = tuple(sorted(other for other in inputs if other < place))
        submitter = None if found.run.parent is None else places.get(found.run.parent.id)
        if submitter is not None and submitter < place:
            delay = max(0.0, found.submitted - timed[submitter].began)
            pieces.append(Piece(found.name, found.work, upstream, delay, submitter, "beginning"))
            continue
        awaited = ends[bisect_right(ends, (found.submitted, place)) - 1]
        if found.submitted - moment > PAUSE and moment < awaited[0] <= found.submitted:
            delay = found.submitted - awaited[0]
            pieces.append(Piece(found.name, found.work, upstream, delay, awaited[1], "end"))
        else:
            pieces.append(Piece(found.name, found.work, upstream, found.submitted - moment, before))
        before, moment = place, found.submitted
    return tuple(pieces)
