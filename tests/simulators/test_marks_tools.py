"""Tracebacks, tracing, debuggers, coverage and pytest's asserts see no difference in marked code."""

import bdb
import io
import json
import pdb
import subprocess
import sys
import traceback
from contextlib import nullcontext
from textwrap import dedent

import pytest

from simulators.marks import Modules, marked

PROGRAM = """
    import contextlib

    def numbers(n):
        for i in range(n):
            yield i

    def divide(
        a,
        b,
    ):
        return (
            a
            / b
        )

    def work(n):
        found = []
        with contextlib.suppress(KeyError):
            for i in numbers(n):
                if i % 2:
                    continue
                try:
                    found.append(
                        divide(i,
                               i))
                except ZeroDivisionError: found.append(0)
                finally:
                    found.append("end"); found.append(i)
        while n: n -= 1
        match found:
            case [0, *rest]:
                found = [x
                         for x in rest]
        return {}["missing"] if n else sorted(
            found, key=lambda x: str(
                x))

    def fail(n):
        def inner():
            return work(n)[0] + divide(1,
                                       n - n)
        return inner()
"""


def either(module, with_marks):
    return marked(Modules(module), lambda place: None) if with_marks else nullcontext()


def with_and_without(look):
    return look(False), look(True)


@pytest.fixture
def program(load):
    return load(PROGRAM)


def test_tracebacks_read_the_same(program):
    def text(with_marks):
        with either(program, with_marks):
            try:
                program.fail(3)
            except ZeroDivisionError as error:
                return "".join(traceback.format_exception(error))

    plain, with_marks = with_and_without(text)

    assert "^" in plain
    assert plain == with_marks


def test_a_traceback_points_at_the_statement_that_a_listener_interrupts(program):
    def interrupt(place):
        if place.line == 30:
            raise KeyboardInterrupt

    with marked(Modules(program), interrupt), pytest.raises(KeyboardInterrupt) as raised:
        program.work(3)

    assert [entry.lineno for entry in traceback.extract_tb(raised.tb)][1:-1] == [30]


def test_tracing_sees_the_same_calls_lines_returns_and_exceptions(program):
    def events(with_marks):
        seen = []

        def trace(frame, event, argument):
            if frame.f_code.co_filename != program.__file__:
                return None
            seen.append((event, frame.f_code.co_qualname, frame.f_lineno))
            return trace

        with either(program, with_marks):
            before = sys.gettrace()
            sys.settrace(trace)
            try:
                program.work(3)
                with pytest.raises(ZeroDivisionError):
                    program.fail(3)
            finally:
                sys.settrace(before)
        return seen

    plain, with_marks = with_and_without(events)

    assert len(plain) > 100
    assert plain == with_marks


MEASURE = """
import importlib.util, json, sys
import coverage
from simulators.marks import Modules, marked
from contextlib import nullcontext

def measure(with_marks):
    spec = importlib.util.spec_from_file_location("program", "program.py")
    program = importlib.util.module_from_spec(spec)
    measurement = coverage.Coverage(data_file=None, branch=sys.argv[1] == "branches", include=["program.py"])
    measurement.start()
    spec.loader.exec_module(program)
    with marked(Modules(program), lambda place: None) if with_marks else nullcontext():
        program.work(3)
    measurement.stop()
    data = measurement.get_data()
    (file,) = data.measured_files()
    return sorted(data.lines(file)), sorted(data.arcs(file) or [])

print(json.dumps([measure(False), measure(True)]))
"""


@pytest.mark.parametrize("measure", ["lines", "branches"])
@pytest.mark.parametrize("core", ["ctrace", "pytrace", *(["sysmon"] if sys.version_info >= (3, 12) else [])])
def test_coverage_is_the_same(tmp_path, monkeypatch, core, measure):
    (tmp_path / "program.py").write_text(dedent(PROGRAM).lstrip())
    monkeypatch.setenv("COVERAGE_CORE", core)

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, measure], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    plain, with_marks = json.loads(done.stdout)

    assert len(plain[0]) > 15
    assert bool(plain[1]) is (measure == "branches")
    assert plain == with_marks


def test_breakpoints_stop_where_they_are_set(program):
    class Debugger(bdb.Bdb):
        def user_line(self, frame):
            stops.append((frame.f_lineno, repr(frame.f_locals)))
            self.set_continue()

    def session(with_marks):
        stops.clear()
        debugger = Debugger()
        before = sys.gettrace()
        with either(program, with_marks):
            for line in (18, 20, 30):
                assert debugger.set_break(program.__file__, line) is None
            try:
                debugger.runcall(program.work, 2)
            finally:
                sys.settrace(before)
                debugger.clear_all_breaks()
        return list(stops)

    stops = []
    plain, with_marks = with_and_without(session)

    assert {line for line, _ in plain[1:]} == {18, 20, 30}
    assert plain == with_marks


def test_stepping_over_lines_shows_the_same_lines(program):
    def session(with_marks):
        commands = io.StringIO("next\n" * 25 + "p found\ncontinue\n")
        output = io.StringIO()
        debugger = pdb.Pdb(stdin=commands, stdout=output, nosigint=True, readrc=False)
        before = sys.gettrace()
        with either(program, with_marks):
            try:
                debugger.runcall(program.work, 3)
            finally:
                sys.settrace(before)
        return output.getvalue()

    plain, with_marks = with_and_without(session)

    assert "-> for i in numbers(n):" in plain
    assert plain == with_marks


def test_asserts_that_pytest_rewrote_explain_themselves(pytester):
    pytester.makepyfile(
        users="""
        import pytest
        from simulators.marks import Project, marked

        @pytest.fixture
        def marks(pytestconfig):
            visited = []
            with marked(Project(pytestconfig.rootpath), lambda place: visited.append(place.line)):
                yield visited
        """,
        test_users="""
        from users import marks

        def check(found):
            wanted = {"a": 1}
            assert found == wanted, (
                "they differ")
            assert len(found) in (
                3,
                4)

        def test_equal(marks):
            check({"a": 2})

        def test_length(marks):
            check({"a": 1})

        def test_lines(marks):
            try:
                check({"a": 1})
            except AssertionError:
                pass
            assert marks == [19, 4, 5, 7, 20, 21, 22]
        """,
    )

    result = pytester.runpytest("-p", "no:flows")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: they differ",
            "E       assert {'a': 2} == {'a': 1}",
            "test_users.py:5: AssertionError",
            "E        +  where 1 = len({'a': 1})",
            "test_users.py:7: AssertionError",
        ]
    )
