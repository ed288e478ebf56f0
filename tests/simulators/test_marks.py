"""Marks in running code: which functions get them, what they keep, and how they give them back."""

import asyncio
import copy
import dis
import functools
import gc
import pickle
import subprocess
import sys
import threading
import weakref
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import FunctionType, ModuleType

import cloudpickle
import greenlet
import pytest

import runtime.lifecycle
import runtime.states
import simulators.marks
from runtime import flow
from simulators.exceptions import SimulatorError
from simulators.marks import Modules, Place, Project, marked
from simulators.marks.insertion import original


@flow
def run():
    return 1


SHOP = """
    import functools
    from contextlib import contextmanager
    from dataclasses import dataclass, field

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    class Called:
        def __init__(self, function):
            self.function = function
        def __call__(self, *args):
            return self.function(*args)

    def function(x):
        return x

    @logged
    def decorated(x):
        return x

    @Called
    def replaced(x):
        return x

    @functools.cache
    def cached(x):
        return x

    def closure(y):
        def inner(x):
            return x + y
        return inner

    adder = closure(0)
    table = {"negate": [lambda x: x]}

    @contextmanager
    def managed(x):
        yield x

    def defaults(x, *, key=lambda x: x):
        return key(x)

    def generator(x):
        yield x

    async def coroutine(x):
        return x

    async def asynchronous(x):
        yield x

    class Shop:
        attribute = staticmethod(lambda x: x)

        def __init__(self, x=1):
            self.x = x

        def method(self, x):
            return x

        @classmethod
        def of_class(cls, x):
            return x

        @staticmethod
        def of_nobody(x):
            return x

        @property
        def price(self):
            return self.x

        @price.setter
        def price(self, x):
            self.x = x

        @functools.cached_property
        def kept(self):
            return self.x

        def __getattr__(self, name):
            return self.x

        class Nested:
            def method(self, x):
                return super().__repr__() and x

    @dataclass
    class Row:
        items: list = field(default_factory=lambda: [1])
"""


def set_price(shop):
    item = shop.Shop()
    item.price = 1


CALLS = {
    "a function": (lambda shop: shop.function(1), ["function"]),
    "a decorated function, and its decorator": (
        lambda shop: shop.decorated(1),
        ["logged.<locals>.wrapper", "decorated"],
    ),
    "what an object has in the place of a function": (
        lambda shop: shop.replaced(1),
        ["Called.__call__", "replaced"],
    ),
    "a function in a cache": (lambda shop: shop.cached(1), ["cached"]),
    "a closure that was there": (lambda shop: shop.adder(1), ["closure.<locals>.inner"]),
    "a closure made by marked code": (
        lambda shop: shop.closure(1)(1),
        ["closure", "closure", "closure.<locals>.inner"],
    ),
    "a lambda in a table": (lambda shop: shop.table["negate"][0](1), ["<lambda>"]),
    "a context manager": (lambda shop: shop.managed(1).__enter__(), ["managed"]),
    "a default": (lambda shop: shop.defaults(1), ["defaults", "<lambda>"]),
    "a generator": (lambda shop: list(shop.generator(1)), ["generator"]),
    "a coroutine": (lambda shop: asyncio.run(shop.coroutine(1)), ["coroutine"]),
    "an asynchronous generator": (
        lambda shop: asyncio.run(anext(shop.asynchronous(1))),
        ["asynchronous"],
    ),
    "a method": (lambda shop: shop.Shop.method(None, 1), ["Shop.method"]),
    "a class method": (lambda shop: shop.Shop.of_class(1), ["Shop.of_class"]),
    "a static method": (lambda shop: shop.Shop.of_nobody(1), ["Shop.of_nobody"]),
    "a lambda in a class": (lambda shop: shop.Shop.attribute(1), ["Shop.<lambda>"]),
    "a property": (lambda shop: shop.Shop().price, ["Shop.__init__", "Shop.price"]),
    "the setter of a property": (set_price, ["Shop.__init__", "Shop.price"]),
    "a cached property": (lambda shop: shop.Shop().kept, ["Shop.__init__", "Shop.kept"]),
    "a missing attribute": (lambda shop: shop.Shop().colour, ["Shop.__init__", "Shop.__getattr__"]),
    "a class in a class": (lambda shop: shop.Shop.Nested().method(1), ["Shop.Nested.method"]),
    "a field's factory": (lambda shop: shop.Row(), ["Row.<lambda>"]),
}


@pytest.fixture
def shop(load):
    return load(SHOP)


@pytest.mark.parametrize(("call", "functions"), CALLS.values(), ids=CALLS.keys())
def test_marks_reach(shop, call, functions):
    visited = []

    with marked(Modules(shop), lambda place: visited.append(place.function)):
        call(shop)

    assert visited == functions


def functions_of(module):
    return [
        thing
        for thing in gc.get_objects()
        if type(thing) is FunctionType and thing.__code__.co_filename == module.__file__
    ]


def test_all_functions_get_their_own_code_back(shop):
    before = {function: function.__code__ for function in functions_of(shop)}

    with marked(Modules(shop), lambda place: None) as marking:
        unchanged = [name for name, code in before.items() if name.__code__ is code]
        put_in = marking.functions

    assert unchanged == []
    assert put_in == len(before)
    assert all(function.__code__ is code for function, code in before.items())


def test_functions_that_marked_code_made_lose_their_marks_too(load):
    module = load("""
        def make():
            class Made:
                def method(self):
                    return lambda: self
            return Made
    """)
    visited = []

    with marked(Modules(module), visited.append):
        made = module.make()
        inner = made().method()
    visited.clear()
    inner()
    made().method()

    assert visited == []
    assert made.method.__code__ in module.make.__code__.co_consts[1].co_consts


def test_a_local_of_a_comprehension_may_be_called_like_a_free_variable(load):
    module = load("""
        def outer():
            a, b, x = 1, 2, 3
            class Inner:
                found = [x for x in range(2)], [b for b in range(3)]
                kept = staticmethod(lambda: (a, b, x))
            return Inner
    """)

    with marked(Modules(module), lambda place: None) as marking:
        inner = module.outer()

        assert marking.unmarked == []
        assert inner.found == ([0, 1], [0, 1, 2])
        assert inner.kept() == (1, 2, 3)


def test_marks_are_taken_out_when_the_block_raises(shop):
    code = shop.function.__code__

    with pytest.raises(KeyError), marked(Modules(shop), lambda place: None):
        raise KeyError

    assert shop.function.__code__ is code


def test_code_that_somebody_else_put_in_since_stays(shop):
    another = (lambda x: 7).__code__

    with marked(Modules(shop), lambda place: None):
        shop.function.__code__ = another

    assert shop.function.__code__ is another


def test_code_of_other_files_has_no_marks(shop, load):
    other = load("def function(): pass")
    code = other.function.__code__

    with marked(Modules(shop), lambda place: None):
        assert other.function.__code__ is code
        assert functools.wraps.__code__.co_consts == original(functools.wraps.__code__).co_consts


def test_one_marking_at_a_time_has_the_functions(shop):
    again = marked(Modules(shop), lambda place: None)

    with marked(Modules(shop), lambda place: None), pytest.raises(SimulatorError, match="marked already"):
        again.__enter__()

    with marked(Modules(shop), lambda place: None) as marking:
        assert marking.functions


def test_a_listener_is_called_in_the_thread_of_the_code(shop):
    threads = []

    with marked(Modules(shop), lambda place: threads.append(threading.current_thread().name)):
        thread = threading.Thread(target=shop.function, args=(1,), name="worker")
        thread.start()
        thread.join(10)

    assert threads == ["worker"]


def test_what_a_listener_raises_the_statement_raises(load):
    module = load("""
        def work():
            ended = []
            try:
                first = 1
            except KeyError as error:
                return ended, error
            finally:
                ended.append("finally")
    """)

    def interrupt(place):
        if place.line == 4:
            raise KeyError(place.line)

    with marked(Modules(module), interrupt):
        ended, error = module.work()

    assert ended == ["finally"]
    assert error.args == (4,)
    assert error.__traceback__.tb_lineno == 4


def test_a_context_manager_is_left_when_the_first_statement_inside_is_interrupted(load):
    module = load("""
        import threading
        lock = threading.Lock()
        def work():
            with lock:
                inside = 1
    """)

    def interrupt(place):
        if place.line == 5:
            raise KeyError

    with marked(Modules(module), interrupt), pytest.raises(KeyError):
        module.work()

    assert not module.lock.locked()


def test_greenlets_switch_between_any_two_statements(load):
    module = load("""
        counter = 0
        def add():
            global counter
            seen = counter
            counter = seen + 1
    """)
    main = greenlet.getcurrent()

    with marked(Modules(module), lambda place: main.switch()):
        tasks = [greenlet.greenlet(module.add) for _ in range(2)]
        while any(not task.dead for task in tasks):
            for task in tasks:
                task.switch()

    assert module.counter == 1


def test_what_is_under_way_has_no_marks_and_is_named(load):
    module = load("""
        def numbers():
            yield 1
            yield 2
    """)
    running = module.numbers()
    next(running)
    visited = []

    with marked(Modules(module), visited.append) as marking:
        next(running)

    assert visited == []
    assert [str(code) for code in marking.unmarked] == [
        f"numbers ({module.__file__}:1): was under way when the marks were put in"
    ]


def test_code_that_cannot_be_taken_apart_runs_without_marks_and_is_named(shop):
    code = shop.function.__code__
    jump_to_nowhere = bytes([dis.opmap["JUMP_FORWARD"], 200])
    shop.function.__code__ = code.replace(co_code=code.co_code + jump_to_nowhere)
    strange = shop.function.__code__

    with marked(Modules(shop), lambda place: None) as marking:
        assert shop.function.__code__ is strange
        assert shop.function(5) == 5

    (unmarked,) = marking.unmarked
    assert (unmarked.name, unmarked.line) == ("function", code.co_firstlineno)
    assert "KeyError" in unmarked.reason


def test_compiled_modules_are_named(load, tmp_path):
    module = load("def function(): pass")
    compiled = ModuleType("users_compiled_module")
    compiled.__file__ = str(tmp_path / f"users_compiled_module{EXTENSION_SUFFIXES[0]}")
    sys.modules[compiled.__name__] = compiled

    try:
        with marked(Modules(module, compiled), lambda place: None) as marking:
            pass
    finally:
        del sys.modules[compiled.__name__]

    assert [str(code) for code in marking.unmarked] == [
        f"users_compiled_module ({compiled.__file__}:0): is compiled, not Python"
    ]


def test_what_is_imported_meanwhile_is_marked_by_an_update(load, tmp_path):
    visited = []

    with marked(Project(tmp_path), lambda place: visited.append(place.function)) as marking:
        module = load("def function(): return 1")
        module.function()
        marking.update()
        module.function()

    assert visited == ["function"]
    assert module.function.__code__ is original(module.function.__code__)


def test_functions_in_a_frozen_heap_are_found(shop):
    visited = []
    gc.freeze()

    try:
        with marked(Modules(shop), visited.append):
            shop.function(1)
    finally:
        gc.unfreeze()

    assert len(visited) == 1


def test_a_heap_that_is_frozen_meanwhile_does_not_keep_marks(shop):
    code = shop.function.__code__

    try:
        with marked(Modules(shop), lambda place: None):
            gc.freeze()
    finally:
        gc.unfreeze()

    assert shop.function.__code__ is code


def test_nothing_keeps_the_listener_afterwards(shop):
    class Listener:
        def hear(self, place):
            pass

    listener = Listener()
    gone = weakref.ref(listener)

    with marked(Modules(shop), listener.hear):
        shop.closure(1)(1)
    del listener

    assert gone() is None


def test_marked_functions_can_be_copied_compared_and_pickled_by_name(shop):
    with marked(Modules(shop), lambda place: None):
        code = shop.function.__code__

        assert copy.deepcopy(shop.function) is shop.function
        assert pickle.loads(pickle.dumps(shop.function)) is shop.function
        assert code == code.replace()
        assert hash(code) == hash(code.replace())


def test_a_function_that_is_pickled_by_value_calls_nobody_elsewhere(shop):
    lock = threading.Lock()
    visited = []

    def hear(place):
        with lock:
            visited.append(place.function)

    with marked(Modules(shop), hear):
        pickled = cloudpickle.dumps(shop.closure(1))
        here = cloudpickle.loads(pickled)(1)
    done = subprocess.run(
        [sys.executable, "-c", "import pickle, sys; print(pickle.load(sys.stdin.buffer)(1))"],
        input=pickled,
        capture_output=True,
    )

    assert done.stdout == b"2\n", done.stderr
    assert here == 2
    assert visited == ["closure", "closure", "closure.<locals>.inner"]


def test_marking_again_takes_the_code_from_before(shop):
    with marked(Modules(shop), lambda place: None):
        first = [place for place in shop.function.__code__.co_consts if isinstance(place, Place)]
    with marked(Modules(shop), lambda place: None):
        second = [place for place in shop.function.__code__.co_consts if isinstance(place, Place)]

    assert [id(place) for place in first] == [id(place) for place in second]


def test_equal_code_of_two_files_keeps_its_own_places(load):
    source = "def function(): return 1"
    first, second = load(source), load(source)
    files = []

    with marked(Modules(first, second), lambda place: files.append(place.file)):
        first.function()
        second.function()

    assert files == [first.__file__, second.__file__]


@pytest.mark.parametrize(
    ("file", "belongs"),
    [
        ("orders.py", True),
        ("tests/test_orders.py", True),
        (".venv/lib/python3.11/site-packages/click/core.py", False),
        ("../elsewhere.py", False),
    ],
)
def test_a_project_is_what_lies_below_its_root_and_is_not_installed(tmp_path, file, belongs):
    assert (str(tmp_path / file) in Project(tmp_path)) is belongs


@pytest.mark.parametrize(
    "file",
    ["<string>", runtime.lifecycle.__file__, simulators.marks.__file__, functools.__file__, pytest.__file__],
)
def test_a_project_holds_neither_us_nor_libraries(file):
    assert file not in Project(Path("/"))


def test_a_package_is_all_that_is_in_it():
    files = Modules(runtime.lifecycle)

    assert runtime.lifecycle.transitions.__file__ in files
    assert runtime.states.__file__ not in files


def test_the_lifecycle_of_the_runtime_can_be_marked():
    visited = []

    with marked(Modules(runtime.lifecycle), lambda place: visited.append(place.function)) as marking:
        run()

    assert marking.unmarked == []
    assert {"TaskRunLifecycle.handle", "FlowRunLifecycle.handle"} & set(visited)
