"""The two programs of SCTBench that searches find hardest, for as many threads as one likes.

*Thomson, Donaldson and Betts, Concurrency Testing Using Controlled Schedulers, TOPC 2(4), 2016.*
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass
class Pair:
    a: int = 0
    b: int = 0


def reorder(setters: int) -> Callable[[], None]:
    """One who checks must come between the two writes of the first setter, and before the second of any."""

    def test() -> None:
        pair = Pair()
        found: list[tuple[int, int]] = []

        def set_both() -> None:
            pair.a = 1
            pair.b = -1

        def check() -> None:
            found.append((pair.a, pair.b))

        _together([*[set_both] * setters, check])
        assert found != [(1, 0)]

    return test


def twostage(writers: int) -> Callable[[], None]:
    """One who reads must come between the two stages of the first writer, and before the second of any."""

    def test() -> None:
        pair = Pair()
        first, second = threading.Lock(), threading.Lock()
        found: list[tuple[int, int]] = []

        def write() -> None:
            with first:
                pair.a = 1
            with second:
                pair.b = pair.a + 1

        def read() -> None:
            with first:
                a = pair.a
            if a:
                with second:
                    found.append((a, pair.b))

        _together([*[write] * writers, read])
        assert found != [(1, 0)]

    return test


def _together(jobs: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
