"""Checking and converting what a flow is called with, by its annotations (pydantic)."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import (
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)

from runtime.exceptions import ParameterTypeError


class ParameterValidator:
    """Validates the parameters of one function."""

    def __init__(self, function: Callable[..., Any], flow_name: str) -> None:
        self._flow_name = flow_name
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        for name, hint in _hints(function).items():
            adapter = _adapter(hint)
            if adapter is not None:
                self._adapters[name] = adapter

    def validate(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters, converted where the annotations ask for it.

        Raises ``ParameterTypeError``, which names every parameter that is wrong.
        """
        valid = dict(parameters)
        problems: list[str] = []
        for name, adapter in self._adapters.items():
            if name in parameters:
                try:
                    valid[name] = adapter.validate_python(parameters[name])
                except ValidationError as error:
                    problems.extend(
                        f"  {'.'.join(str(part) for part in (name, *detail['loc']))}: {detail['msg']}, "
                        f"got {_shown(detail['input'])}"
                        for detail in error.errors(include_url=False)
                    )
        if problems:
            raise ParameterTypeError(
                f"Flow '{self._flow_name}' cannot take these parameters:\n" + "\n".join(problems)
            )
        return valid


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    named = {name for name, p in inspect.signature(function).parameters.items() if p.kind not in variadic}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    hints: dict[str, Any] = {}
    # One by one: a type that only the type checker sees must not keep the others from being checked.
    for name, hint in getattr(function, "__annotations__", {}).items():
        if name in named:
            try:
                alone = SimpleNamespace(__annotations__={name: hint})
                hints |= get_type_hints(alone, names, include_extras=True)
            except Exception:  # it is no type, and evaluating it may raise anything  # noqa: S112
                continue
    return hints


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError):
        try:  # a class that pydantic does not know: isinstance has to do
            return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        except (PydanticSchemaGenerationError, PydanticUserError):
            return None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # the user's __repr__ may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."
