"""What ``--param NAME=VALUE`` gives a flow."""

import inspect
import json
from collections.abc import Iterable
from inspect import Parameter
from typing import Any

import click

from runtime.cli.loading import meant
from runtime.flows import Flow


def read_parameters(flow: Flow[..., Any], texts: Iterable[str]) -> dict[str, Any]:
    """The parameters for a call. Raises ``click.ClickException`` where the flow cannot be called so."""
    values = read_some_parameters(flow, texts)
    named = _named(flow)
    missing = [name for name, p in named.items() if p.default is Parameter.empty and name not in values]
    if missing:
        given = " ".join(f"--param {name}=VALUE" for name in missing)
        raise click.ClickException(f"Flow '{flow.name}' needs {given}. {_taken(named)}")
    return values


def read_some_parameters(flow: Flow[..., Any], texts: Iterable[str]) -> dict[str, Any]:
    """Parameters that the flow has. Raises ``click.ClickException`` for those that it has not."""
    known = flow.signature.parameters
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in known.values())
    named = _named(flow)
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.ClickException(f"--param {text}: write NAME=VALUE, such as --param {name or 'n'}=3")
        if name not in named and not takes_any:
            raise click.ClickException(
                f"Flow '{flow.name}' has no parameter {name!r}.{meant(name, named)} {_taken(named)}"
            )
        if name in values:
            raise click.ClickException(f"--param {name} is given twice.")
        values[name] = _value(value, known.get(name))
    return values


def _named(flow: Flow[..., Any]) -> dict[str, Parameter]:
    return {
        name: parameter
        for name, parameter in flow.signature.parameters.items()
        if parameter.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    }


def _value(text: str, parameter: Parameter | None) -> Any:
    """JSON where it is JSON, else the text itself. For a parameter that is to be text, ``2024`` is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    wants_text = parameter is not None and parameter.annotation in {str, "str"}
    return text if wants_text and not isinstance(value, str) else value


def _taken(parameters: dict[str, Parameter]) -> str:
    taken = str(inspect.Signature(list(parameters.values())))
    return f"It takes {taken[1:-1]}" if taken else "It takes none."
