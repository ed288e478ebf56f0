"""Which state may follow which: the one table, and what happens outside of it."""

from collections.abc import Iterable

from runtime.exceptions import IllegalTransition
from runtime.states import State, StateType

_S = StateType
_FINAL = {_S.COMPLETED, _S.FAILED, _S.CRASHED, _S.CANCELLED}

#: What may follow each type within one run count; ``None`` stands before the first state.
TRANSITIONS: dict[StateType | None, frozenset[StateType]] = {
    # A run that was never taken up may end at once: parameters refused, or found crashed by recovery.
    None: frozenset({_S.SCHEDULED, _S.PENDING}),
    # Pending again is NotReady. Completed from here is a result found in the cache. Scheduled from here is
    # AwaitingRetry: the attempt was lost, or failed in its preparation, before it started.
    _S.PENDING: frozenset({_S.PENDING, _S.SCHEDULED, _S.RUNNING, _S.CANCELLING, *_FINAL}),
    _S.RUNNING: frozenset({_S.SCHEDULED, _S.CANCELLING, *_FINAL}),
    _S.SCHEDULED: frozenset({_S.PENDING, _S.SCHEDULED, _S.RUNNING, _S.CANCELLING, *_FINAL}),
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.CRASHED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CRASHED: frozenset(),
    _S.CANCELLED: frozenset(),
}


def check_transition(before: State | None, after: State) -> None:
    """Raise :class:`IllegalTransition` where ``after`` must not follow ``before``."""
    if after.type not in TRANSITIONS[before.type if before is not None else None] or (
        before is not None and before.name == "NotReady"
    ):
        raise IllegalTransition(f"{after} cannot follow {before}")


def illegal_step(states: Iterable[State]) -> str | None:
    """The first step of a history of one run count that must not be, in words; None where all may."""
    before: State | None = None
    for after in states:
        try:
            check_transition(before, after)
        except IllegalTransition as error:
            return str(error)
        before = after
    return None
