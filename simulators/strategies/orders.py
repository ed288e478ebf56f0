"""Orders: what an operation comes after, of all that it depends on."""

from collections.abc import Callable, Hashable, Iterator, Sequence

from simulators.strategies.base import Operation, Step

#: what is touched, None for nothing, and whether that is changed
Touch = tuple[Hashable, bool]


def known(step: Operation | Step) -> Touch:
    """What an operation is known to touch."""
    return step.resource, step.writes


def known_or_kind(step: Operation | Step) -> Touch:
    """The same; what nobody knows changes what all of its kind change: statements, or waits for locks."""
    return (step.kind, True) if step.resource is None else (step.resource, step.writes)


def orders(
    steps: Sequence[Step], touched: Callable[[Step], Touch] = known
) -> Iterator[tuple[Sequence[Step], Step]]:
    """For each step that touches something: the latest that it depends on, in order, and the step itself.

    For one that reads that is the last write; for one that writes, the last write and all reads since.
    """
    writes: dict[Hashable, Step] = {}
    reads: dict[Hashable, list[Step]] = {}
    for step in steps:
        resource, changes = touched(step)
        if resource is None:
            continue
        last = writes.get(resource)
        before = [last] if last is not None else []
        if changes:
            before += reads.pop(resource, [])
            writes[resource] = step
        else:
            reads.setdefault(resource, []).append(step)
        yield before, step
