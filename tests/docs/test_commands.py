"""What pages have the reader type, and what they have cron, systemd and Kubernetes start, can be typed so."""

import re
import shlex
from pathlib import Path

import click
import pytest

from runtime.cli import main

ROOT = Path(__file__).parents[2]
TYPED = re.compile(r"^(?:\$|ExecStart=|.* flock .*?) ?(?:\S+/)?(flows (?!--).*)$", re.MULTILINE)
LISTED = re.compile(r'^ +command: \["(flows)", (.*)\]$', re.MULTILINE)
END = re.compile(r"\s+(?:#|\d?>|\|).*")


def commands():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for line in TYPED.findall(text):
            yield pytest.param(shlex.split(END.sub("", line)), id=f"{page.stem}: {line[:60]}")
        for _, rest in LISTED.findall(text):
            yield pytest.param(["flows", *shlex.split(rest.replace(",", " "))], id=f"{page.stem}: list")


@pytest.mark.parametrize("command", list(commands()))
def test_a_command_of_the_docs_has_the_options_that_it_is_given(command):
    _, name, *arguments = command
    known = main.get_command(click.Context(main), name)

    assert known is not None
    known.make_context(name, arguments)
