"""Whether a test runs a flow, as far as its code tells before it runs.

Several task runners multiply the tests that run flows, and no others. Which these are must be known when
tests are collected, so the names that a test's code uses are followed: to flows and tasks, and through
functions, classes and modules to the names that those use. A test that reaches its flow in a way that no
name shows asks for the fixture ``task_runner``, or bears the marker ``task_runners``.
"""

import dis
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

#: code that is not the suite's own, and would lead nowhere
_FOREIGN = (
    frozenset({"_pytest", "pluggy", "pytest", "pytest_flows", "runtime", "simulators"})
    | sys.stdlib_module_names
)


def mentions_flows(functions: Iterable[Callable[..., Any]], owner: type | None = None) -> bool:
    """Whether one of ``functions``, methods of ``owner`` where that is given, leads to a flow or a task."""
    waiting: list[object] = list(functions)
    seen: set[int] = set()
    own = _attributes(owner) if owner is not None else {}
    while waiting:
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            if _is_flow(value):
                return True
            waiting.extend(_next(value, own))
    return False


def _is_flow(value: object) -> bool:
    flows, tasks = sys.modules.get("runtime.flows"), sys.modules.get("runtime.tasks")
    if flows is None or tasks is None:
        return False
    return isinstance(value, flows.Flow | tasks.Task) or value is flows.flow or value is tasks.task


def _next(value: object, own: Mapping[str, object]) -> Iterator[object]:
    """What the code of ``value`` may reach by name."""
    if isinstance(value, functools.partial):
        yield cast("functools.partial[object]", value).func
    elif isinstance(value, MethodType):
        yield value.__func__
    elif isinstance(value, type):
        if not _is_foreign(value.__module__):
            yield from vars(value).values()
    elif isinstance(value, staticmethod | classmethod):
        yield cast("Any", value).__func__
    elif isinstance(value, FunctionType) and not _is_foreign(value.__module__):
        yield getattr(value, "__wrapped__", None)
        # Hypothesis keeps the test that it wraps here.
        yield getattr(getattr(value, "hypothesis", None), "inner_test", None)
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # empty: filled when the function around it goes on
                continue
        names, imported = _names(value.__code__)
        modules = [vars(sys.modules[name]) for name in imported if name in sys.modules]
        yield from _named(names, [value.__globals__, own, *modules])


def _named(names: set[str], namespaces: list[Mapping[str, object]]) -> Iterator[object]:
    """What has one of these names, also as an attribute of a module that has one of them."""
    modules: set[str] = set()
    while namespaces:
        namespace = namespaces.pop()
        for name in names & namespace.keys():
            value = namespace[name]
            if not isinstance(value, ModuleType):
                yield value
            elif value.__name__ not in modules and not _is_foreign(value.__name__, but="runtime"):
                modules.add(value.__name__)
                namespaces.append(vars(value))


def _names(code: CodeType) -> tuple[set[str], set[str]]:
    """The names that code uses, and the modules that it imports, code within it included."""
    names = set(code.co_names)
    imported = {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            more_names, more_imported = _names(constant)
            names |= more_names
            imported |= more_imported
    return names, imported


def _attributes(owner: type) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for base in reversed(owner.__mro__):
        if not _is_foreign(base.__module__):
            attributes.update(vars(base))
    return attributes


def _is_foreign(module: str | None, *, but: str = "") -> bool:
    top = (module or "").partition(".")[0]
    return top in _FOREIGN and top != but
