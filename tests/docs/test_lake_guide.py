"""docs/lake.md says of care what there is: settings with their defaults, commands, figures."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import typer.main

from config_api.schemas.lake_care import LakeCareAnswer
from sentinel.cli.app import app
from sentinel.domain.lake_care import OPEN_DATE_SHARE
from sentinel.settings import PROJECT_ROOT, LakeCareSettings
from tests.bench.lake import markdown

CARE = (PROJECT_ROOT / "docs" / "lake.md").read_text().split("\n## Care\n")[1]
COMMANDS = re.findall(r"^sentinel (.*?)(?:  #.*)?$", CARE, re.MULTILINE)


def test_every_setting_is_told_with_its_default() -> None:
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \|", CARE, re.MULTILINE))
    defaults = {name.upper(): float(field.default) for name, field in LakeCareSettings.model_fields.items()}
    assert {name: float(value) for name, value in told.items()} == defaults


def test_sizes_are_those_of_the_defaults() -> None:
    assert f"some of {LakeCareSettings().target_mib} MiB" in CARE
    assert f"some of {LakeCareSettings().target_mib // OPEN_DATE_SHARE} MiB" in CARE


def test_the_answer_has_the_members_that_are_told() -> None:
    told = re.search(r"answers `\{(looked_at[^}]*)\}`", CARE)
    assert told is not None
    assert {"pipeline_id", *told[1].split(", ")} == LakeCareAnswer.model_fields.keys()


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_understood(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)
    while hasattr(command, "get_command"):
        command, words = command.get_command(None, words[0]), words[1:]
    assert command.make_context(line, words).params["pipeline"] == (1 if "--pipeline" in line else None)


def test_the_measurements_are_what_was_measured() -> None:
    docs = PROJECT_ROOT / "docs"
    found = json.loads((docs / "lake-care.json").read_text())
    assert markdown(found) == (docs / "lake-care.md").read_text()
