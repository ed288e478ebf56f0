"""Small concurrent programs, the classic ones of the literature among them."""

import random
from collections.abc import Hashable
from typing import Any, NamedTuple

from tests.simulators.partial_order.machine import Operation, Process, Program


class Case(NamedTuple):
    program: Program
    values: dict[Hashable, Any] | None = None


def straight(*operations: Operation):
    """A process that does these one after the other, whatever comes of them."""

    def process() -> Process:
        for operation in operations:
            _ = yield operation

    return process


def words(**processes: str) -> Program:
    """A small letter is read, a capital written."""
    return {
        name: straight(*(("write" if letter.isupper() else "read", letter.lower()) for letter in word))
        for name, word in processes.items()
    }


def lost_update(tasks: int, times: int) -> Program:
    return words(**{f"task-{n}": "xX" * times for n in range(tasks)})


def readers(count: int) -> Program:
    return words(writer="X", **{f"reader-{n}": "x" for n in range(count)})


def lastzero(count: int) -> Program:
    def search() -> Process:
        index = count
        while (yield ("read", index)) != 0:
            index -= 1

    def fill(index: int):
        def process() -> Process:
            value = yield ("read", index - 1)
            yield ("write", index, value + 1)

        return process

    return {"search": search, **{f"fill-{n}": fill(n) for n in range(1, count + 1)}}


def philosophers(count: int) -> Program:
    return {f"philosopher-{n}": _dines(n, (n + 1) % count) for n in range(count)}


def _dines(left: int, right: int):
    return straight(("lock", left), ("lock", right), ("unlock", right), ("unlock", left))


def indexer(threads: int, size: int, messages: int) -> Program:
    def insert(thread: int):
        def process() -> Process:
            for message in range(1, messages + 1):
                word = message * 11 + thread
                place = word * 7 % size
                while not (yield ("swap", place, 0, word)):
                    place = (place + 1) % size

        return process

    return {f"thread-{n}": insert(n) for n in range(threads)}


def filesystem(threads: int, inodes: int, blocks: int) -> Program:
    def allocate(thread: int):
        def process() -> Process:
            inode = thread % inodes
            yield ("lock", f"inode lock {inode}")
            if not (yield ("read", f"inode {inode}")):
                block = inode * 2 % blocks
                while True:
                    yield ("lock", f"block lock {block}")
                    if not (yield ("read", f"block {block}")):
                        yield ("write", f"block {block}")
                        yield ("write", f"inode {inode}")
                        yield ("unlock", f"block lock {block}")
                        break
                    yield ("unlock", f"block lock {block}")
                    block = (block + 1) % blocks
            yield ("unlock", f"inode lock {inode}")

        return process

    return {f"thread-{n}": allocate(n) for n in range(threads)}


def locked(tasks: int, times: int) -> Program:
    section = (("lock", "L"), ("read", "x"), ("write", "x"), ("unlock", "L"))
    return {f"task-{n}": straight(*section * times) for n in range(tasks)}


def consumer_with_condition(givers: int, *, all_of_them: bool = False) -> Program:
    def take() -> Process:
        for _ in range(givers):
            yield ("lock", "L")
            while not (yield ("read", "items")):
                yield ("wait", "C", "L")
                yield ("wake", "C")
                yield ("lock", "L")
            yield ("write", "items", 0)
            yield ("unlock", "L")

    def give() -> Process:
        yield ("lock", "L")
        yield ("write", "items", 1)
        yield ("notify", "C", 9 if all_of_them else 1)
        yield ("unlock", "L")

    return {"taker": take, **{f"giver-{n}": give for n in range(givers)}}


def forked(children: int, word: str) -> Program:
    def main() -> Process:
        for n in range(children):
            yield ("spawn", f"child-{n}", words(child=word)["child"])
        for n in range(children):
            yield ("join", f"child-{n}")
        yield ("read", "x")

    return {"main": main}


def branching() -> Program:
    def decide() -> Process:
        if (yield ("read", "x")):
            yield ("write", "y")
        else:
            yield ("write", "z")

    return {"decides": decide, **words(other="XyZ")}


def double_checked() -> Program:
    def initialise() -> Process:
        if not (yield ("read", "made")):
            yield ("lock", "L")
            if not (yield ("read", "made")):
                yield ("write", "made")
            yield ("unlock", "L")

    return {"one": initialise, "other": initialise}


def polite() -> Program:
    def try_it() -> Process:
        if (yield ("try", "L")):
            yield ("write", "x")
            yield ("unlock", "L")

    return {f"task-{n}": try_it for n in range(3)}


DOWN, UP = ("down", "S"), ("up", "S")
GET, PUT = ("get", "Q"), ("put", "Q", 1)
AWAIT, SET, CLEAR = ("await", "E"), ("set", "E"), ("clear", "E")

CASES: dict[str, Case] = {
    "nothing at all": Case({}),
    "one process": Case(words(a="xXy")),
    "things of one's own": Case(words(a="xX", b="yY")),
    "two reads": Case(words(a="x", b="x")),
    "two writes": Case(words(a="X", b="X")),
    "three writes": Case(words(a="X", b="X", c="X")),
    "a read among writes": Case(words(a="X", b="x", c="X")),
    "store buffering": Case(words(a="Xy", b="Yx")),
    "message passing": Case(words(a="XY", b="yx")),
    "two things in two orders": Case(words(a="XY", b="YX")),
    "a chain of dependences": Case(words(a="X", b="xY", c="yZ", d="z")),
    "independent writes, read in two orders": Case(words(a="X", b="Y", c="xy", d="yx")),
    "what a value decides": Case(branching()),
    "a lost update, 2 tasks once": Case(lost_update(2, 1)),
    "a lost update, 2 tasks twice": Case(lost_update(2, 2)),
    "a lost update, 3 tasks once": Case(lost_update(3, 1)),
    **{f"{n} readers": Case(readers(n)) for n in range(1, 6)},
    **{f"the last zero of {n}": Case(lastzero(n)) for n in range(1, 4)},
    "2 philosophers": Case(philosophers(2)),
    "3 philosophers": Case(philosophers(3)),
    "an index without collisions": Case(indexer(2, 64, 2)),
    "an index with collisions": Case(indexer(2, 7, 2)),
    "an index that 3 fill": Case(indexer(3, 3, 1)),
    "a file system with collisions": Case(filesystem(2, 4, 2)),
    "critical sections of 2": Case(locked(2, 1)),
    "critical sections of 2, twice": Case(locked(2, 2)),
    "critical sections of 3": Case(locked(3, 1)),
    "a lock and a look from outside": Case({**locked(2, 1), **words(watcher="x")}),
    "double-checked locking": Case(double_checked()),
    "locks that are only tried": Case(polite()),
    "a semaphore for one": Case({n: straight(DOWN, ("write", n), UP) for n in "abc"}, {"S": 1}),
    "a semaphore for two": Case({n: straight(DOWN, ("write", "x"), UP) for n in "abc"}, {"S": 2}),
    "a semaphore that is never given": Case({"a": straight(DOWN), "b": straight(DOWN, UP)}, {"S": 1}),
    "a queue": Case({"giver": straight(PUT, PUT), "taker": straight(GET, GET)}),
    "a queue with 2 takers": Case({"giver": straight(PUT, PUT), "a": straight(GET), "b": straight(GET)}),
    "a queue with 2 givers": Case({"a": straight(PUT), "b": straight(PUT), "taker": straight(GET, GET)}),
    "too little in a queue": Case({"giver": straight(PUT), "a": straight(GET), "b": straight(GET)}),
    "an event": Case({"a": straight(("write", "x"), SET), "b": straight(AWAIT, ("read", "x"))}),
    "an event that is set twice": Case({"a": straight(SET), "b": straight(SET), "c": straight(AWAIT)}),
    "an event that is cleared": Case({"a": straight(SET, CLEAR, SET), "b": straight(AWAIT, ("read", "x"))}),
    "an event that may be missed": Case({"a": straight(SET), "b": straight(CLEAR), "c": straight(AWAIT)}),
    "a condition": Case(consumer_with_condition(1)),
    "a condition, notified twice": Case(consumer_with_condition(2)),
    "a condition, all notified": Case(consumer_with_condition(2, all_of_them=True)),
    "threads that are joined": Case(forked(2, "xX")),
    "threads of their own things": Case(forked(3, "y")),
}


def chance(seed: int) -> Case:
    """Any program, with all operations that there are."""
    random_ = random.Random(seed)
    processes = random_.choice([2, 2, 3])
    size = 3 if processes == 3 else random_.choice([3, 4, 5])
    return Case({f"p{n}": _chance(random_, size) for n in range(processes)}, {"S": 1})


def _chance(random_: random.Random, size: int):
    operations: list[Operation] = []
    held: list[str] = []
    while len(operations) < size:
        operation = random_.choice(
            "read write decide lock unlock try down up put get await set clear".split()
        )
        match operation:
            case "read" | "write":
                operations.append((operation, random_.choice("xy")))
            case "decide":
                operations.append((operation, random_.choice("xy"), random_.choice("xyz")))
            case "lock":
                held.append(random_.choice("LM"))
                operations.append((operation, held[-1]))
            case "unlock":
                operations += [(operation, held.pop())] if held else []
            case _:
                things = {"try": "T", "down": "S", "up": "S", "put": "Q", "get": "Q"}
                operations.append((operation, things.get(operation, "E"), 1))

    def process() -> Process:
        for operation in operations:
            if operation[0] != "decide":
                yield operation
            elif (yield ("read", operation[1])):
                yield ("write", operation[2])

    return process
