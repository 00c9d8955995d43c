"""The guide to backtests: its commands are understood, and its table names what a result has."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sentinel.cli import past
from sentinel.cli.app import app
from sentinel.domain.backtest import BacktestResult
from sentinel.domain.engine_task import TaskKind
from sentinel.domain.history import TimeRange
from sentinel.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "backtests.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("sentinel")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TaskKind] = []

    def do(kind: TaskKind, _submit: Any) -> dict[str, Any]:
        asked.append(kind)
        raise typer.Exit(0)

    monkeypatch.setattr(past, "do", do)
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("id,label\na,1\n")
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert (done.exit_code, asked) == (0, [TaskKind(shlex.split(command)[1])]), done.output


def test_there_are_commands_of_both_kinds() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"backtest", "refill"}


def test_every_member_of_a_result_is_told() -> None:
    table = GUIDE[GUIDE.index("### What the result says") : GUIDE.index("### Labels")]
    wanted = TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    empty = BacktestResult(1, 1, wanted, 3600, (), (), 0, None, (), (), 0.0).as_json()
    untold = [name for name in empty if f"`{name}" not in table]
    assert untold == ["range", "labelled", "seconds"]
