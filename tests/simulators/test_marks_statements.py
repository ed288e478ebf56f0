"""Which statements are marked, and how often each is visited."""

import asyncio
import contextlib
import linecache
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.marks import Modules, marked


def visits(module, call):
    """The lines of the module that are visited by the call."""
    lines = []
    with (
        marked(Modules(module), lambda place: lines.append(place.line)),
        contextlib.suppress(ZeroDivisionError),
    ):
        call()
    return lines


CASES = {
    "simple statements": (
        """
        def work(x):
            a = x
            b = a
            return b
        """,
        [2, 3, 4],
    ),
    "a statement of several lines": (
        """
        def work(x):
            a = max(
                x,
                2,
            )
            return (
                a,
                x,
            )
        """,
        [2, 6],
    ),
    "several statements on one line": (
        """
        def work(x):
            a = x; b = a; c = b
            return c
        """,
        [2, 2, 2, 3],
    ),
    "if, elif and else": (
        """
        def work(x):
            if x == 0:
                return 0
            elif x == 1:
                return 1
            else:
                return 2
        """,
        [2, 4, 5],
    ),
    "a for loop, once to begin and once for each item or the end": (
        """
        def work(x):
            for i in range(2):
                x += i
            return x
        """,
        [2, 3, 2, 3, 2, 4],
    ),
    "a for loop that is left and continued": (
        """
        def work(x):
            for i in range(5):
                if i == 1:
                    continue
                if i == 2:
                    break
            else:
                x = 7
            return x
        """,
        [2, 3, 5, 2, 3, 4, 2, 3, 5, 6, 9],
    ),
    "a for loop over a comprehension": (
        """
        def work(x):
            for i in [j for j in range(2)]:
                x += i
        """,
        [2, 3, 2, 3, 2],
    ),
    "a while loop, at each test": (
        """
        def work(x):
            while x < 3:
                x += 1
            return x
        """,
        [2, 3, 2, 3, 2, 4],
    ),
    "a while loop on one line": (
        """
        def work(x):
            while x < 3: x += 1
            return x
        """,
        [2, 2, 2, 2, 2, 3],
    ),
    "an endless loop": (
        """
        def work(x):
            while True:
                x += 1
                if x > 2:
                    return x
        """,
        [3, 4, 3, 4, 5],
    ),
    "try, except, else and finally": (
        """
        def work(x):
            try:
                x += 1
            except ValueError:
                x = 0
            else:
                x += 2
            finally:
                x += 3
            return x
        """,
        [3, 7, 9, 10],
    ),
    "exceptions that are caught": (
        """
        def work(x):
            try:
                x / 0
            except (
                KeyError
            ):
                x = 0
            except ZeroDivisionError as error:
                x = error
            return x
        """,
        [3, 4, 8, 9, 10],
    ),
    "an exception that passes through finally": (
        """
        def work(x):
            try:
                x / 0
            finally:
                x = 0
        """,
        [3, 5],
    ),
    "a return that finally interrupts": (
        """
        def work(x):
            try:
                return x
            finally:
                x = 0
        """,
        [3, 5],
    ),
    "an exception group": (
        """
        def work(x):
            try:
                raise ExceptionGroup("", [ValueError()])
            except* ValueError:
                x = 0
            return x
        """,
        [3, 4, 5, 6],
    ),
    "with, when it is entered": (
        """
        def work(x):
            import contextlib
            with contextlib.nullcontext(x) as y:
                x = y
            return x
        """,
        [2, 3, 4, 5],
    ),
    "match and its cases": (
        """
        def work(x):
            match x:
                case 0:
                    return 0
                case int() if x > 5:
                    return 1
                case _:
                    return 2
        """,
        [2, 3, 5, 7, 8],
    ),
    "a function and a class that are defined": (
        """
        def work(x):
            def inner(
                y=x,
            ):
                "what it is for"
                return y

            class Inner:
                a = x
                b = a

            return inner()
        """,
        [2, 8, 9, 10, 12, 6],
    ),
    "a decorated function": (
        """
        def work(x):
            import functools

            @functools.cache
            def inner():
                return x

            return inner()
        """,
        [2, 4, 8, 6],
    ),
    "a lambda, when it is called": (
        """
        def work(x):
            double = lambda y: (
                2 * y
            )
            return double(double(x))
        """,
        [2, 5, 3, 3],
    ),
    "lambdas on one line": (
        """
        def work(x):
            return (lambda a: lambda b: a + b)(x)(1)
        """,
        [2, 2, 2],
    ),
    "comprehensions, as parts of a statement": (
        """
        def work(x):
            a = [
                i + x
                for i in range(3)
            ]
            return sum(
                i for i in a
            )
        """,
        [2, 6],
    ),
    "assert, del, global, import, annotations": (
        """
        def work(x):
            global z
            import math
            y: int = x
            z = y
            u: int
            assert y == x, (
                "message"
            )
            del y
        """,
        [3, 4, 5, 7, 10],
    ),
    "pass": (
        """
        def work(x):
            if x:
                pass
        """,
        [2, 3],
    ),
    "nested loops and breaks": (
        """
        def work(x):
            for i in range(2):
                for j in range(2):
                    if j == i:
                        break
            return x
        """,
        [2, 3, 4, 5, 2, 3, 4, 3, 4, 5, 2, 6],
    ),
    "a loop whose body jumps from a handler": (
        """
        def work(x):
            for i in range(2):
                try:
                    x / i
                except ZeroDivisionError:
                    continue
            return x
        """,
        [2, 4, 5, 6, 2, 4, 2, 7],
    ),
}


@pytest.mark.parametrize(("source", "lines"), CASES.values(), ids=CASES.keys())
def test_each_statement_is_visited_where_it_begins(load, source, lines):
    module = load(source)

    assert visits(module, lambda: module.work(1)) == lines


def test_a_generator_is_visited_as_it_goes(load):
    module = load("""
        def numbers(n):
            for i in range(n):
                sent = yield i
            return sent

        def outer():
            last = yield from numbers(2)
            yield last
    """)

    assert visits(module, lambda: list(module.outer())) == [7, 2, 3, 2, 3, 2, 4, 8]


def test_coroutines_and_what_they_await_are_visited(load):
    module = load("""
        import asyncio

        class Door:
            async def __aenter__(self):
                await asyncio.sleep(0)
                return self

            async def __aexit__(self, *failure):
                return False

        async def numbers(n):
            for i in range(n):
                yield i
                await asyncio.sleep(0)

        async def work():
            found = []
            async with Door() as door:
                async for i in numbers(2):
                    found.append(i)
            more = [i async for i in numbers(1)]
            return found, more
    """)

    lines = visits(module, lambda: asyncio.run(module.work()))

    loop = [19, 12, 13, 20, 19, 14, 12, 13, 20, 19, 14, 12]
    assert lines == [17, 18, 5, 6, *loop, 9, 21, 12, 13, 14, 12, 22]


def test_a_place_says_where_it_is(load):
    module = load("""
        class Account:
            def pay(self):
                return (lambda: self)()
    """)
    places = []

    with marked(Modules(module), places.append):
        module.Account().pay()

    assert [str(place) for place in places] == [
        f"{module.__file__}:3 in Account.pay",
        f"{module.__file__}:3 in Account.pay.<locals>.<lambda>",
    ]


def test_a_statement_has_one_place_wherever_the_compiler_repeats_it(load):
    module = load("""
        def work(x):
            try:
                1 / x
            finally:
                x = 2
    """)
    places = []

    with marked(Modules(module), places.append):
        module.work(1)
        with contextlib.suppress(ZeroDivisionError):
            module.work(0)

    assert len(places) == 4
    assert len(set(places)) == 2


def test_without_source_each_line_is_taken_for_a_statement(load):
    module = load("""
        def work(x):
            y = max(
                x,
                2,
            )
            for i in range(2):
                y += i
            return y
    """)
    Path(module.__file__).unlink()
    linecache.checkcache(module.__file__)

    assert visits(module, lambda: module.work(1)) == [2, 3, 4, 6, 7, 6, 7, 6, 8]


def test_without_columns_each_line_is_taken_for_a_statement(tmp_path):
    (tmp_path / "module.py").write_text(
        "def work(x):\n    y = max(\n        x, 2\n    ); z = y\n    return z\n"
    )
    script = (
        "import module; from simulators.marks import marked, Modules; lines = []\n"
        "with marked(Modules(module), lambda place: lines.append(place.line)): module.work(1)\n"
        "print(lines)"
    )

    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.stdout == "[2, 3, 4, 5]\n", done.stderr


def test_source_that_was_changed_since_is_not_trusted(load):
    module = load("""
        def work(x):
            y = (
                x)
            return y
    """)
    Path(module.__file__).write_text("def another(): pass\n")
    linecache.checkcache(module.__file__)

    assert visits(module, lambda: module.work(1)) == [3, 2, 4]
