"""What a mark costs, beside another way to be called before every statement."""

import argparse
import random
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import greenlet

from benchmarks import marked_code
from benchmarks.contests import Contest
from benchmarks.marked_code import add, work
from simulators.marks import Modules, Place, marked

ROUNDS = 20_000
SCHEDULES = 2_000
#: the same code in a file without marks
plain = FunctionType(work.__code__.replace(co_filename="plain.py"), {"range": range})
main = greenlet.getcurrent()
chance = random.Random(0)


def contests() -> Iterator[Contest]:
    """A mark that nothing comes of, marks that switch, and putting marks in and taking them out."""
    yield Contest(
        "a loop of marked statements",
        "1,000 statements",
        ROUNDS * marked_code.STATEMENTS // 1_000,
        {
            "marked": lambda: work(ROUNDS),
            "plain": lambda: plain(ROUNDS),
            "sys.settrace": lambda: traced(ROUNDS),
        },
        around=lambda: marked(Modules(marked_code), ignore),
    )
    yield Contest(
        "two greenlets that switch at each of 3 statements",
        "schedule",
        SCHEDULES,
        {"marked": lambda: [schedule() for _ in range(SCHEDULES)]},
        around=lambda: marked(Modules(marked_code), switch),
    )
    with marked(Modules(argparse), ignore) as marking:
        functions = marking.functions
    yield Contest(
        f"marks into {functions} functions, and out again, kept from before",
        "function",
        functions,
        {"marked": put_in_and_take_out},
    )


def ignore(_place: Place) -> None:
    pass


def switch(_place: Place) -> None:
    main.switch()


def traced(rounds: int) -> None:
    def trace(_frame: Any, _event: str, _argument: Any) -> Any:
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        plain(rounds)
    finally:
        sys.settrace(before)


def schedule() -> None:
    tasks = [greenlet.greenlet(add), greenlet.greenlet(add)]
    while tasks:
        task = chance.choice(tasks)
        task.switch()
        if task.dead:
            tasks.remove(task)


def put_in_and_take_out() -> None:
    with marked(Modules(argparse), ignore):
        pass
