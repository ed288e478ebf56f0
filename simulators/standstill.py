"""Runs that do not end: who waits for what, held by whom, and where that is in the code."""

import asyncio
import traceback
from collections import Counter
from types import FrameType
from typing import Any

from runtime.threads import frame_of
from simulators.exceptions import Deadlock, Livelock, Starvation
from simulators.places import frame_of_task, is_passed_over
from simulators.scheduling import Scheduler
from simulators.turns import Stack

#: how many who wait are described
MOST_SHOWN = 12
_FRAMES_SHOWN = 4


def explain(scheduler: Scheduler, why: str) -> BaseException:
    """What is to be said of a run that stands still, or goes on for ever."""
    if why == "livelock":
        return _going_on(scheduler)
    waiting = [stack for stack in scheduler.stacks if stack.parked]
    lines = ["Deadlock: nothing can go on, and no alarm is set."]
    for stack in waiting[:MOST_SHOWN]:
        lines.append(f"  {stack.run} waits for {_awaited(stack)}")
        lines += _where(_frame_of(stack))
    tasks = [task for loop in scheduler.loops for task in loop.unfinished()]
    for lane, task in tasks[: max(0, MOST_SHOWN - len(waiting))]:
        lines.append(f"  {lane.name} (asyncio) waits for {_awaited_by(task)}")
        lines += _where(frame_of_task(task))
    if len(waiting) + len(tasks) > MOST_SHOWN:
        lines.append(f"  and {len(waiting) + len(tasks) - MOST_SHOWN} more")
    return Deadlock("\n".join(lines))


def _going_on(scheduler: Scheduler) -> Livelock:
    recent = scheduler.steps[-1000:]
    counts = Counter(lane.name for lane, *_ in recent)
    busy = ", ".join(f"{name} {count}" for name, count in counts.most_common(5))
    lines = [
        f"the run has not ended after {scheduler.limit} operations and {scheduler.now:g} s of virtual time.",
        f"  Of the last {len(recent)} operations: {busy}",
    ]
    if idle := sorted({turn.run for turn in scheduler.pending} - counts.keys()):
        lines.append(f"  They could run and did not: {', '.join(idle)}")
    starved = [stack for stack in scheduler.stacks if _is_starved(scheduler, stack)]
    for stack in starved[:MOST_SHOWN]:
        lines.append(f"  {stack.run} waits since operation {stack.since} for {_awaited(stack)}")
        lines += _where(_frame_of(stack))
    if starved:
        return Starvation("\n".join([f"Starvation: {lines[0]}", *lines[1:]]))
    return Livelock("\n".join([f"Livelock: {lines[0]}", *lines[1:]]))


def _is_starved(scheduler: Scheduler, stack: Stack) -> bool:
    """Whether it has waited for most of the run for what others take again and again."""
    return stack.parked and stack.kind == "acquire" and stack.since < len(scheduler.steps) / 2


def _awaited(stack: Stack) -> str:
    awaited = stack.waits_for
    holder = getattr(awaited, "holder", None)
    held = f", held by {holder}" if holder else ""
    return f"{awaited}{held}"


def _awaited_by(task: "asyncio.Task[Any]") -> str:
    awaited: Any = getattr(task, "_fut_waiter", None)
    if isinstance(awaited, asyncio.Task):
        return f"asyncio task {awaited.get_name()}"
    return "something that nobody sets" if awaited is None else "a future that nobody sets"


def _frame_of(stack: Stack) -> FrameType | None:
    frame: FrameType | None = getattr(stack.carrier, "gr_frame", None)
    if frame is None:
        ident = getattr(stack.carrier, "ident", None)
        frame = frame_of(ident) if ident is not None else None
    return frame


def _where(frame: FrameType | None) -> list[str]:
    if frame is None:
        return []
    summary = [line for line in traceback.extract_stack(frame) if not is_passed_over(line.filename)]
    return [
        f"    {line.filename}:{line.lineno} in {line.name}: {line.line}" for line in summary[-_FRAMES_SHOWN:]
    ]
