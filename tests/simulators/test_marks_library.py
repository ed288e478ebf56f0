"""The standard library at work: with marks in all of it, it does what it does without."""

import _pydecimal
import argparse
import ast
import asyncio
import calendar
import collections
import concurrent.futures
import configparser
import contextlib
import copy
import dataclasses
import difflib
import email
import email.policy
import enum
import fractions
import html.parser
import inspect
import io
import json
import logging
import pickle
import pprint
import queue
import shlex
import statistics
import string
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import tokenize
import typing
import urllib.parse
import xml.etree.ElementTree
import zipfile
from importlib.util import find_spec

import pytest

from simulators.marks import Modules, marked

TEXT = (textwrap.__doc__ + inspect.cleandoc(difflib.Differ.__doc__)) * 3
SOURCE = inspect.getsource(textwrap)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="orders", exit_on_error=False)
    commands = parser.add_subparsers(dest="command")
    pay = commands.add_parser("pay", help="pay an order")
    pay.add_argument("order", type=int, choices=range(5))
    pay.add_argument("--note", action="append", default=["first"])
    failure = None
    try:
        parser.parse_args(["pay", "9"])
    except (argparse.ArgumentError, SystemExit) as error:
        failure = str(error)
    return vars(parser.parse_args(["pay", "3", "--note", "x"])), failure, pay.format_help()


def walk_trees():
    tree = ast.parse(SOURCE)
    return ast.unparse(tree), collections.Counter(type(node).__name__ for node in ast.walk(tree))


def run_coroutines():
    async def produce(line, n):
        for i in range(n):
            await line.put(i)
            await asyncio.sleep(0)
        await line.put(None)

    async def consume(line, found):
        while (item := await line.get()) is not None:
            found.append(item)
        raise LookupError(len(found))

    async def main():
        line, found = asyncio.Queue(2), []
        results = await asyncio.gather(produce(line, 5), consume(line, found), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, i)) for i in range(3)]
        return repr(results), found, [task.result() for task in tasks]

    return asyncio.run(main())


def run_threads():
    line = queue.Queue()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(divmod, i, 3) for i in range(5)]
        failed = pool.submit(divmod, 1, 0)
        for future in concurrent.futures.as_completed(futures):
            line.put(future.result())
    return sorted(line.get() for _ in futures), repr(failed.exception())


def read_settings():
    parser = configparser.ConfigParser()
    parser.read_string("[a]\nx = 1\n y\nz = %(x)s!\n[b]\n; note\nflag = yes\n")
    with pytest.raises(configparser.NoOptionError) as raised:
        parser.get("b", "missing")
    return {name: dict(parser[name]) for name in parser}, parser["b"].getboolean("flag"), str(raised.value)


def make_classes():
    @dataclasses.dataclass(order=True)
    class Row:
        number: int
        tags: list = dataclasses.field(default_factory=list, compare=False)

    class Colour(enum.Flag):
        RED = enum.auto()
        BLUE = enum.auto()

    point = collections.namedtuple("Point", "x y", defaults=[0])  # noqa: PYI024
    rows = sorted([Row(2), dataclasses.replace(Row(1), tags=[1])])
    hints = typing.get_type_hints(Row)
    return repr(rows), repr(Colour.RED | Colour.BLUE), point(1), hints, str(inspect.signature(Row))


def reckon():
    with _pydecimal.localcontext() as context:
        context.prec = 40
        root = _pydecimal.Decimal(2).sqrt()
        with contextlib.suppress(_pydecimal.InvalidOperation):
            _pydecimal.Decimal("x")
    parts = [fractions.Fraction(1, n) for n in range(1, 20)]
    return str(root), sum(parts), statistics.quantiles(range(50)), calendar.month(2024, 2)


def compare_texts():
    changed = TEXT.replace("line", "row")
    differences = list(difflib.unified_diff(TEXT.splitlines(), changed.splitlines()))
    return differences, textwrap.fill(TEXT, 30), difflib.get_close_matches("txet", TEXT.split())


def parse_markup():
    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, attrs))

    found = []
    Reader().feed("<p class=a>x &amp; y<br/><!-- no --><a href='b'>c")
    tree = xml.etree.ElementTree.fromstring("<a><b n='1'>x</b><b/></a>")
    xml.etree.ElementTree.indent(tree)
    return found, xml.etree.ElementTree.tostring(tree), [b.attrib for b in tree.iterfind("b[@n]")]


def send_mail():
    text = "From: a@b.c\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nTo: x <x@y.z>,\n v@w\n\nbody\n"
    message = email.message_from_string(text, policy=email.policy.default)
    return message["subject"], [str(address) for address in message["to"].addresses], message.as_string()


def pack_files():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", TEXT)
    with zipfile.ZipFile(stream) as archive:
        unpacked = archive.read("a/b.txt")
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    tape.seek(0)
    with tarfile.open(fileobj=tape) as archive:
        return unpacked, archive.getnames()


def copy_things():
    thing = {"a": [1, (2, {3})], "b": fractions.Fraction(1, 3)}
    thing["self"] = thing
    copied = copy.deepcopy(thing)
    stream = io.BytesIO()
    pickle._Pickler(stream, protocol=4).dump([TEXT, thing["a"], thing["b"]])
    stream.seek(0)
    return copied["self"] is copied, pickle._Unpickler(stream).load(), pprint.pformat(thing["a"] * 20)


def read_texts():
    encoder = json.encoder.JSONEncoder(indent=1, sort_keys=True, default=str)
    shown = "".join(encoder.iterencode({"b": [1, None, {"c": fractions.Fraction(1, 2)}], "a": 1.5}))
    words = shlex.split('a \'b c\' "d\\"e" # f', comments=True)
    tokens = [(token.type, token.string) for token in tokenize.generate_tokens(io.StringIO(SOURCE).readline)]
    address = urllib.parse.urlsplit("http://u:p@h:1/p;q?a=1&b=%20#f")
    return shown, words, tokens, address, string.Template("$a ${b} $$").substitute(a=1, b=2)


def log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("{levelname}:{message}", style="{"))
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    try:
        fractions.Fraction(1, 0)
    except ZeroDivisionError:
        logger.exception("failed %s", 1)
    return stream.getvalue()


WORK = [
    (parse_arguments, [argparse]),
    (walk_trees, [ast]),
    (run_coroutines, [asyncio, contextlib, queue]),
    (run_threads, [concurrent.futures, queue]),
    (read_settings, [configparser, collections, contextlib]),
    (make_classes, [dataclasses, enum, typing, inspect, collections]),
    (reckon, [_pydecimal, fractions, statistics, calendar]),
    (compare_texts, [difflib, textwrap]),
    (parse_markup, [html.parser, xml.etree.ElementTree]),
    (send_mail, [email]),
    (pack_files, [zipfile, tarfile]),
    (copy_things, [copy, pickle, pprint]),
    (read_texts, [json, shlex, tokenize, urllib.parse, string]),
    (log, [logging]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("work", "modules"), WORK, ids=[work.__name__ for work, _ in WORK])
def test_the_library_does_the_same_with_marks(work, modules):
    visited, accesses = [], []

    without = work()
    with marked(Modules(*modules), visited.append, lambda thing, key, access: accesses.append(access)):
        with_marks = work()

    assert len(set(visited)) > 10
    assert len(set(accesses)) > 10
    assert with_marks == without


#: Tests of Python itself, of what marks could harm most; not those about code objects themselves.
TESTS = """
    argparse asyncgen asyncio.test_locks asyncio.test_queues asyncio.test_streams asyncio.test_taskgroups
    asyncio.test_tasks asyncio.test_timeouts class collections configparser contextlib contextlib_async
    coroutines dataclasses decorators descr dictcomps difflib enum except_star exception_group exceptions
    fractions fstring functools generators genexps grammar heapq json keywordonlyarg listcomps logging
    named_expressions patma pep646_syntax pickle property queue raise sched scope setcomps statistics string
    super tarfile textwrap threading traceback typing unpack unpack_ex urlparse weakref with yield_from
""".split()

RUN = """
import importlib, json, sys, unittest
from contextlib import nullcontext
from simulators.marks import marked

class Library:
    def __contains__(self, file):
        return file.startswith(sys.argv[3])

class Outcomes(unittest.TestResult):
    seen = {}
    def stopTest(self, test):
        super().stopTest(test)
        self.seen.setdefault(test.id(), "passed")
    def addError(self, test, error):
        self.seen[test.id()] = "error: " + error[0].__name__
    def addFailure(self, test, error):
        self.seen[test.id()] = "failure: " + str(error[1])

module = importlib.import_module(sys.argv[1])
suite = unittest.defaultTestLoader.loadTestsFromModule(module)
listen, watch = lambda place: None, lambda thing, key, access: None
with marked(Library(), listen, watch) if sys.argv[2] == "marked" else nullcontext():
    suite.run(Outcomes())
json.dump(Outcomes.seen, open(sys.argv[4], "w"))
"""


def is_installed(test):
    """Some distributions leave Python's tests out."""
    try:
        return find_spec(f"test.{test}") is not None
    except ImportError:
        return False


def outcomes(test, marks, tmp_path):
    file = tmp_path / f"{marks}.json"
    library = sysconfig.get_path("stdlib")
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"test.{test}", marks, library, str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(file.read_text())


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("test", [f"test_{name}" for name in TESTS if is_installed(f"test_{name}")])
def test_pythons_own_tests_end_alike_with_marks_in_the_whole_library(test, tmp_path):
    without = outcomes(test, "without", tmp_path)

    assert outcomes(test, "marked", tmp_path) == without
