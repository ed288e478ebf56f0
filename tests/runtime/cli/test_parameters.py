"""What ``--param`` gives a flow."""

from collections.abc import Callable

import click
import pytest
from click.testing import Result

from runtime import flow
from runtime.cli.parameters import read_parameters

Command = Callable[..., Result]


@flow
def takes(n: int, anything=None, text: str = "x") -> None:
    pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ('["users", "orders"]', ["users", "orders"]),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ('"3"', "3"),
        ("users", "users"),
        ("2024-02-29", "2024-02-29"),
        ("a=b", "a=b"),
        ("", ""),
        ("{not json", "{not json"),
    ],
)
def test_a_parameter_is_json_or_else_text(text: str, value: object) -> None:
    assert read_parameters(takes, ["n=1", f"anything={text}"]) == {"n": 1, "anything": value}


@pytest.mark.parametrize(
    ("text", "value"), [("2024", "2024"), ("null", "null"), ('"2024"', "2024"), ("x", "x")]
)
def test_a_parameter_that_is_to_be_text_stays_text(text: str, value: str) -> None:
    assert read_parameters(takes, ["n=1", f"text={text}"])["text"] == value


def test_a_flow_that_takes_any_parameter_gets_any() -> None:
    @flow
    def open_ended(**more: int) -> None:
        pass

    assert read_parameters(open_ended, ["a=1", "b=2"]) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["n"], "--param n: write NAME=VALUE, such as --param n=3"),
        (["n=1", "n=2"], "--param n is given twice."),
        ([], "Flow 'takes' needs --param n=VALUE. It takes n: int, anything=None, text: str = 'x'"),
        (["n=1", "tekst=1"], "Flow 'takes' has no parameter 'tekst'. Did you mean 'text'?"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said(texts: list[str], message: str) -> None:
    with pytest.raises(click.ClickException) as raised:
        read_parameters(takes, texts)

    assert message in raised.value.message


def test_a_value_that_the_flow_does_not_allow_is_named(flows: Command) -> None:
    result = flows("run", "below/sums.py:sums", "--param", "n=many")

    assert result.exit_code == 1
    assert "n: Input should be a valid integer" in result.stderr
    assert "Traceback" not in result.stderr
