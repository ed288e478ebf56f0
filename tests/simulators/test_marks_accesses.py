"""Which reads and writes are marked, and what their listener is told."""

import types

import pytest

from simulators.marks import Globals, Modules, marked

CASES = {
    "an attribute": (
        """
        def work(thing):
            thing.count = thing.count + 1
            del thing.count
        """,
        ["read thing count", "write thing count", "write thing count"],
    ),
    "an attribute that is changed": (
        """
        def work(thing):
            thing.count += 1
        """,
        ["read thing count", "write thing count"],
    ),
    "a method": (
        """
        def work(thing):
            thing.rows.append(1)
        """,
        ["read thing rows", "read rows append"],
    ),
    "an item": (
        """
        def work(thing):
            rows = thing.rows
            rows[0] += rows[1]
            del rows[1]
        """,
        ["read thing rows", "read rows 0", "read rows 1", "write rows 0", "write rows 1"],
    ),
    "whether something is in a container": (
        """
        def work(thing):
            rows = thing.rows
            return 5 in rows, 6 not in rows
        """,
        ["read thing rows", "read rows 5", "read rows 6"],
    ),
    "all that is in a container": (
        """
        def work(thing):
            rows = thing.rows
            for row in rows:
                pass
            return [row for row in rows]
        """,
        ["read thing rows", "read rows None", "read rows None"],
    ),
    "a global": (
        """
        total = 0

        def work(thing):
            global total
            total = total + len([])
        """,
        ["read globals total", "write globals total"],
    ),
    "a variable that functions share": (
        """
        def outer():
            total = 0

            def inner():
                nonlocal total
                total = total + 1

            return inner

        shared = outer()

        def work(thing):
            shared()
        """,
        ["read globals shared", "read cell total", "write cell total"],
    ),
    "a variable that a function shares with those in it": (
        """
        def work(thing):
            total = 1
            return lambda: total
        """,
        ["write cell total"],
    ),
    "what a coroutine and a generator touch": (
        """
        async def coroutine(thing):
            return thing.count

        def generator(thing):
            yield thing.count

        def work(thing):
            try:
                coroutine(thing).send(None)
            except StopIteration:
                return next(generator(thing))
        """,
        [
            "read globals coroutine",
            "read coroutine send",
            "read thing count",
            "read globals generator",
            "read thing count",
        ],
    ),
    "locals, which nobody else sees": (
        """
        def work(thing):
            a = b = 1
            a, b = b, a + b
            return max(a, b)
        """,
        [],
    ),
}


def accesses(module, call, thing):
    """What the call touches, in words."""
    names = {id(thing): "thing", id(thing.rows): "rows"}
    found = []

    def listen(touched, key, access):
        name = names.get(id(touched), type(touched).__name__)
        name = "globals" if isinstance(touched, Globals) else name
        found.append(f"{'write' if access.writes else 'read'} {name} {key}")

    with marked(Modules(module), lambda place: None, listen):
        call(thing)
    return found


@pytest.fixture
def thing():
    return types.SimpleNamespace(count=1, rows=[1, 2])


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES.keys())
def test_accesses_are_heard_before_they_happen(load, thing, source, expected):
    module = load(source)

    assert accesses(module, module.work, thing) == expected


def test_a_slice_is_an_access_to_a_container(load, thing):
    module = load("""
        def work(thing):
            thing.rows[0:1] = thing.rows[1:]
    """)

    found = accesses(module, module.work, thing)

    assert [line.split()[:2] for line in found if "rows" in line.split()[1]] == [
        ["read", "rows"],
        ["write", "rows"],
    ]
    assert thing.rows == [2, 2]


def test_an_attribute_of_the_class_above_is_an_access(load):
    module = load("""
        class Base:
            count = 1

        class Thing(Base):
            def work(self):
                return super().count
    """)
    keys = []

    with marked(Modules(module), lambda place: None, lambda thing, key, access: keys.append(key)):
        module.Thing().work()

    assert keys == ["count"]


def test_an_access_says_where_it_is(load, thing):
    module = load("""
        def work(thing):
            return max(
                2,
                thing.count,
            )
    """)
    found = []

    with marked(Modules(module), lambda place: None, lambda thing, key, access: found.append(access)):
        module.work(thing)

    assert [str(access) for access in found] == [f"{module.__file__}:4 in work, a read"]


def test_a_statement_is_heard_before_its_accesses(load, thing):
    module = load("""
        def work(thing):
            thing.count = 1
            thing.count = 2
    """)
    heard = []

    with marked(
        Modules(module),
        lambda place: heard.append(place.line),
        lambda thing, key, access: heard.append((key, thing.count)),
    ):
        module.work(thing)

    assert heard == [2, ("count", 1), 3, ("count", 1)]


def test_globals_of_a_file_are_one_thing(load):
    module = load("""
        a = b = 1

        def first():
            return a

        def second():
            return b
    """)
    things = []

    with marked(Modules(module), lambda place: None, lambda thing, key, access: things.append(thing)):
        module.first()
        module.second()

    assert len(things) == 2
    assert len(set(things)) == 1


def test_a_listener_sees_the_cell_of_the_variable(load):
    module = load("""
        def outer():
            total = 7
            def inner():
                return total
            return inner

        inner = outer()
    """)
    cells = []

    with marked(Modules(module), lambda place: None, lambda thing, key, access: cells.append(thing)):
        module.inner()

    assert cells == list(module.inner.__closure__)
