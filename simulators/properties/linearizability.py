"""Linearizability: an object that threads share behaves as if its calls came one after the other.

Each call has its effect at one moment between its beginning and its end (*Herlihy and Wing, TOPLAS 12(3),
1990*). Whether there is such an order is found by trying, with states that were seen before left out (*Wing
and Gong, JPDC 17, 1993; Lowe, CCPE 29(4), 2017*).
"""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from simulators.exploration import Exploration, check

#: The name of a method, and its arguments.
Call = tuple[Any, ...]


class NotLinearizable(AssertionError):
    """No order of the calls explains what they returned."""


class _Done(NamedTuple):
    """One call that was made."""

    thread: int
    method: str
    args: tuple[Any, ...]
    outcome: Any
    began: int
    ended: int

    def __str__(self) -> str:
        arguments = ", ".join(map(repr, self.args))
        return f"thread {self.thread}: {self.method}({arguments}) -> {self.outcome!r}"


def assert_linearizable(
    make: Callable[[], Any], model: Callable[[], Any], threads: Sequence[Sequence[Call]], **options: Any
) -> Exploration:
    """Raise ``FailureFound`` where calls on an object do not behave as if they came one after the other.

    Args:
        make: makes the object.
        model: makes an object with the same methods that nobody shares, and that can be copied: what
            is right.
        threads: for each thread its calls, such as ``[("put", 1), ("get",)]``.
        options: those of ``check``.
    """

    def test() -> None:
        shared, done, clock = make(), list[_Done](), list[None]()

        def work(number: int) -> None:
            for method, *args in threads[number]:
                clock.append(None)
                began = len(clock)
                outcome = _outcome(shared, method, tuple(args))
                clock.append(None)
                done.append(_Done(number, method, tuple(args), outcome, began, len(clock)))

        workers = [threading.Thread(target=work, args=(number,)) for number in range(len(threads))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if not _explained(model(), tuple(done), set()):
            lines = [f"  {call.began:3}-{call.ended:<3} {call}" for call in sorted(done, key=_began)]
            raise NotLinearizable("\n".join(["No order of these calls explains what they returned:", *lines]))

    return check(test, **options)


def _explained(model: Any, left: tuple[_Done, ...], seen: set[tuple[frozenset[int], str]]) -> bool:
    """Whether the calls that are left can be made one after the other on ``model``."""
    if not left:
        return True
    key = frozenset(call.began for call in left), repr(sorted(cast("dict[str, object]", vars(model)).items()))
    if key in seen:
        return False
    seen.add(key)
    first_end = min(call.ended for call in left)
    for call in left:
        if call.began > first_end:
            continue  # another one had ended before it began
        after = copy.deepcopy(model)
        rest = tuple(other for other in left if other is not call)
        if _outcome(after, call.method, call.args) == call.outcome and _explained(after, rest, seen):
            return True
    return False


def _outcome(target: Any, method: str, args: tuple[Any, ...]) -> Any:
    """What a call returns, or the class of what it raises."""
    try:
        return getattr(target, method)(*args)
    except Exception as error:  # what is called may raise anything
        return type(error)


def _began(call: _Done) -> int:
    return call.began
