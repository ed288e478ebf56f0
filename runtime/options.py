"""What flows and tasks have in common when they are declared: names, hooks, and checks of both."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from string import Formatter
from typing import Any, TypeAlias, TypedDict, cast

from runtime.policies import RetryDelays, StateHook
from runtime.states import StateType

Hooks: TypeAlias = "list[StateHook] | None"
#: a template over the parameters, or a function that makes the name, of nothing or of the parameters
RunName: TypeAlias = "str | Callable[..., str] | None"

_FORBIDDEN = "/%&<>"


class RunOptions(TypedDict, total=False):
    """The options that flows and tasks share. One that is not given has the default named here."""

    #: the function's name
    name: str | None
    #: None
    version: str | None
    #: the function's docstring
    description: str | None
    #: how often to try again after a failure: 0
    retries: int
    #: the wait before each retry: none
    retry_delay_seconds: RetryDelays | None
    #: how long it may take; of a task, each attempt: no limit
    timeout_seconds: float | None
    #: whether prints become log records: as the flow around says, or else the settings
    log_prints: bool | None
    #: whether results are stored: False
    persist_result: bool
    #: called with the flow or task, its run and the state, as ``on_completion`` and ``on_failure`` are: none
    on_running: Hooks
    on_completion: Hooks
    on_failure: Hooks


def checked_name(kind: str, name: object) -> str:
    """A name that may stand in paths, URLs and pages. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(name, str):
        raise TypeError(f"The name of a {kind} must be a string, not {name!r}")
    if not name or not name.strip():
        raise ValueError(f"The name of a {kind} must not be empty")
    for character in _FORBIDDEN:
        if character in name:
            raise ValueError(f"The name {name!r} of a {kind} must not contain any of {' '.join(_FORBIDDEN)}")
    return name


def checked_text(option: str, text: object) -> str | None:
    """A text that may be left out. Raises ``TypeError``."""
    if text is not None and not isinstance(text, str):
        raise TypeError(f"{option} must be a string or None, not {text!r}")
    return text


def refuse_unknown(what: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise ``TypeError`` for an option that does not exist."""
    for option in given:
        if option not in known:
            near = get_close_matches(option, known, n=1)
            raise TypeError(
                f"{what} has no option {option!r}.{f' Did you mean {near[0]!r}?' if near else ''}"
            )


def checked_run_name(
    option: str, run_name: RunName, parameters: Collection[str]
) -> "str | Callable[[dict[str, Any]], str] | None":
    """What makes the names of runs: given parameters, whatever the user's own function takes.

    Raises ``ValueError`` for a template that speaks of something else than ``parameters``.
    """
    if isinstance(run_name, str):
        _check_template(option, run_name, parameters)
    if run_name is None or isinstance(run_name, str):
        return run_name
    if not callable(run_name):
        raise TypeError(f"{option} must be a string, a function or None, not {run_name!r}")
    make = run_name
    try:
        takes_parameters = bool(inspect.signature(make).parameters)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{option} must be a function that says what it takes: {error}") from error

    def name(parameters: dict[str, Any]) -> str:
        made = make(parameters) if takes_parameters else make()
        if not isinstance(cast("object", made), str):
            raise TypeError(f"{option} must make a string, not {made!r}")
        return made

    return name


def checked_hooks(hooks: Mapping[StateType, tuple[str, Hooks]]) -> dict[StateType, tuple[StateHook, ...]]:
    """The hooks by the type of state that they wait for. Raises ``TypeError`` for one that is none."""
    checked: dict[StateType, tuple[StateHook, ...]] = {}
    for kind, (option, functions) in hooks.items():
        if functions is None:
            continue
        if not isinstance(cast("object", functions), list | tuple):
            raise TypeError(f"{option} must be a list of functions, not {functions!r}")
        for function in functions:
            if not callable(function):
                raise TypeError(f"{option} must be a list of functions, but there is {function!r} in it")
        if functions:
            checked[kind] = tuple(functions)
    return checked


def checked_tags(tags: Iterable[str] | None) -> tuple[str, ...]:
    """Tags in order. Raises ``TypeError`` for one that is no string."""
    if isinstance(tags, str) or not isinstance(cast("object", tags), Iterable | None):
        raise TypeError(f"tags must be a collection of strings, not {tags!r}")
    given = tuple(tags or ())
    for tag in given:
        if not isinstance(cast("object", tag), str):
            raise TypeError(f"tags must be strings, not {tag!r}")
    return tuple(sorted(set(given)))


def checked_function(kind: str, function: object) -> Callable[..., Any]:
    """A function that can be a flow or a task. Raises ``TypeError``."""
    for around in (staticmethod, classmethod):
        if isinstance(function, around):
            raise TypeError(f"Put @{kind} below @{around.__name__}, next to the function.")
    if not callable(function):
        raise TypeError(f"@{kind} goes on a function, not on {function!r}")
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"@{kind} cannot go on {function.__name__}: an async generator has no one result")
    return function


def description_of(function: Callable[..., Any], given: str | None) -> str | None:
    """What was said, or else the function's docstring. Raises ``TypeError`` for what is no text."""
    return checked_text("description", given) if given is not None else inspect.getdoc(function)


def _check_template(option: str, template: str, parameters: Collection[str]) -> None:
    try:
        fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise ValueError(f"{option} {template!r} is no template: {error}") from error
    for field in fields:
        name = field.partition(".")[0].partition("[")[0]
        if name not in parameters:
            there = ", ".join(parameters) or "none"
            raise ValueError(f"{option} {template!r} speaks of {name!r}; the parameters are: {there}")
