"""Finding the flow that ``FILE.py:FLOW`` or ``module:FLOW`` names, in the user's own code."""

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

import click

from runtime.flows import Flow
from runtime.lifecycle import traceback_of
from runtime.tasks import Task

AnyFlow: TypeAlias = Flow[..., Any]


def load_flow(target: str) -> AnyFlow:
    """The flow that ``target`` names; the flow's own name will do, and none where there is but one flow.

    Raises ``click.ClickException`` with what a newcomer needs to know.
    """
    place, _, name = target.partition(":")
    is_file = place.endswith(".py") or "/" in place
    module = _load_file(Path(place)) if is_file else _load_module(place)
    return _flow_in(module, place, name)


def meant(name: str, known: Iterable[str]) -> str:
    """`` Did you mean ...?`` where one of the known names is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = meant(path.name, (other.name for other in path.parent.glob("*.py")))
        raise click.ClickException(f"There is no file {str(path)!r}.{near}")
    path = path.resolve()
    # As `python FILE` does, so that the file may import its neighbours. Also what lets the processes of
    # a cluster import it: they get a copy of sys.path.
    sys.path.insert(0, str(path.parent))
    name = path.stem.replace(".", "_")
    if name in sys.modules:
        name = f"flows_file_{name}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise click.ClickException(f"{str(path)!r} is not a Python file: its name should end in .py")
    module = sys.modules[name] = module_from_spec(spec)
    loader = spec.loader
    _executed(lambda: loader.exec_module(module), str(path))
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        _executed(lambda: import_module(name), name)
    except ModuleNotFoundError as error:
        near = f" If it is a file, write {name}.py." if Path(f"{name}.py").is_file() else ""
        raise click.ClickException(f"There is no module {error.name!r}.{near}") from error
    return sys.modules[name]


def _executed(load: Callable[[], object], what: str) -> None:
    try:
        load()
    except ModuleNotFoundError as error:
        if error.name is not None and (what == error.name or what.startswith(f"{error.name}.")):
            raise
        raise _broken(what, error) from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise _broken(what, error) from error


def _broken(what: str, error: BaseException) -> click.ClickException:
    return click.ClickException(f"{what} could not be imported:\n\n{traceback_of(error)}")


def _flow_in(module: ModuleType, place: str, name: str) -> AnyFlow:
    flows: dict[str, AnyFlow] = {
        key: cast("AnyFlow", value) for key, value in vars(module).items() if isinstance(value, Flow)
    }
    if not name:
        return _only(flows, place)
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, _NOTHING)
    if found is _NOTHING:
        found = next((flow for flow in flows.values() if flow.name == name), _NOTHING)
    if found is _NOTHING:
        raise click.ClickException(
            f"There is no flow {name!r} in {place}.{meant(name, flows)} {_listed(flows)}"
        )
    if isinstance(found, Flow):
        return cast("AnyFlow", found)
    if isinstance(found, Task):
        why = "is a task. Tasks run in flows: call it in a function with @flow above it, and run that."
    elif callable(found) and not isinstance(found, type):
        why = "is a function without @flow above it."
    else:
        why = f"is no flow but {found!r:.80}."
    raise click.ClickException(f"{name!r} in {place} {why} {_listed(flows)}")


def _only(flows: dict[str, AnyFlow], place: str) -> AnyFlow:
    if len(flows) != 1:
        raise click.ClickException(f"Which flow? Write {place}:FLOW. {_listed(flows)}")
    return next(iter(flows.values()))


def _listed(flows: Iterable[str]) -> str:
    names = ", ".join(flows)
    return f"Flows there: {names}" if names else "There is no flow at all: put @flow above a function."


_NOTHING = object()
