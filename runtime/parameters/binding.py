"""Which argument belongs to which parameter."""

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from runtime.exceptions import ReservedArgumentError


class CallSignature:
    """What a function takes, looked up once."""

    __slots__ = ("_least", "_most", "_name", "_names", "_rest", "_signature")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function)
        self._name: str = getattr(function, "__name__", type(function).__name__)
        parameters = list(self._signature.parameters.values())
        positional = [
            p for p in parameters if p.kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
        ]
        self._names = tuple(parameter.name for parameter in positional)
        self._rest = next((p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL), "")
        self._most = len(positional)
        needs_keyword = any(
            p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty for p in parameters
        )
        #: the least number of arguments, all positional, that fit; one more than the most if none do
        self._least = (
            self._most + 1 if needs_keyword else sum(p.default is Parameter.empty for p in positional)
        )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name."""
        return dict(self._signature.parameters)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise ``TypeError`` where the function could not be called so."""
        if kwargs or not self._least <= len(args) <= self._most:
            self._bound(args, kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The value of each parameter, defaults included. Raises ``TypeError`` where that cannot be."""
        bound = self._bound(args, kwargs)
        bound.apply_defaults()
        return bound.arguments

    def unbind(self, parameters: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments that give the parameters these values."""
        bound = inspect.BoundArguments(self._signature, parameters)
        return bound.args, bound.kwargs

    def name_of(self, position: int) -> str:
        """The parameter that the argument at ``position`` belongs to."""
        return self._names[position] if position < self._most else self._rest

    def refuse(self, reserved: frozenset[str], what: str) -> None:
        """Raise ``ReservedArgumentError`` where a parameter bears a reserved name."""
        for name in self._signature.parameters:
            if name in reserved:
                raise ReservedArgumentError(
                    f"{what} has a parameter {name!r}, which is reserved: a call takes an argument of "
                    "that name itself. Call the parameter something else."
                )

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}{self._signature} cannot be called like this: {error}") from None
