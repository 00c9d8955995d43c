"""Commands that stand in the guides without being run: each is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer.main

from sentinel.cli.app import app
from sentinel.settings import PROJECT_ROOT

SHOWN = ("alerts", "channels", "dead-letters", "detectors", "events", "notify", "producer", "rule", "webhooks")
COMMANDS = [
    (path.name, line.partition("  #")[0])
    for path in (*sorted((PROJECT_ROOT / "docs").glob("*.md")), PROJECT_ROOT / "README.md")
    for line in re.findall(rf"^    sentinel ((?:{'|'.join(SHOWN)}) .*)$", path.read_text(), re.MULTILINE)
]


def test_the_guides_have_some() -> None:
    assert {"rules.md", "lifecycle.md", "notifications.md", "README.md"} <= {name for name, _ in COMMANDS}


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_it_is_understood(name: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    context, words = None, shlex.split(line)
    while hasattr(command, "get_command"):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    # `sentinel detectors list` has parameters that are all left out.
    assert command.make_context(line, words).params.keys() == {parameter.name for parameter in command.params} - {
        "help"
    }
