"""`sentinel rule` against a real API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sentinel.cli.rule import app
from sentinel.errors import ConflictError

pytestmark = pytest.mark.integration


@pytest.fixture
def run(cli_of_tenant: None) -> Callable[..., Result]:
    """Runs a command; one that fails raises."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)

    return invoke


@pytest.fixture
def large(run: Callable[..., Result], pipeline: dict[str, Any]) -> str:
    """A rule that the command line added: its id."""
    said = run("add", "amount > 100", "--pipeline", pipeline["id"], "--severity", "info", "--name", "large").stdout
    assert said.endswith("(large) is active\n")
    return said.split()[1]


def test_a_rule_from_its_draft_back_to_its_first_version(
    run: Callable[..., Result], pipeline: dict[str, Any], large: str
) -> None:
    assert "large is at version 2" in run("change", large, "amount > 200", "--comment", "too many").stdout
    assert "large is active at version 3" in run("rollback", large, 1).stdout
    shown = run("show", large).stdout
    assert "large (rule " in shown
    assert "too many" in shown
    assert "back to version 1" in shown
    listed = run("list", "--pipeline", pipeline["id"]).stdout.splitlines()
    assert listed[0].split() == ["id", "name", "state", "severity", "version", "rule"]
    assert listed[1].split() == [large, "large", "active", "info", "3", "amount", ">", "100"]
    assert "large is paused" in run("state", large, "paused").stdout
    assert "large is archived" in run("state", large, "archived", "--comment", "done").stdout
    assert len(run("list", "--pipeline", pipeline["id"]).stdout.splitlines()) == 1


def test_the_short_form_keeps_its_own_severity(run: Callable[..., Result], pipeline: dict[str, Any]) -> None:
    text = 'when amount > 1 then severity("critical")'
    rule_id = run("add", text, "--pipeline", pipeline["id"]).stdout.split()[1]
    run("change", rule_id, 'when amount > 2 then severity("warning")')
    assert ", warning" in run("show", rule_id).stdout.splitlines()[0]


def test_a_candidate_is_tried_rolled_out_and_promoted(run: Callable[..., Result], large: str) -> None:
    assert "version 2 beside it is in draft" in run("propose", large, "amount > 300").stdout
    assert "version 2 beside it is in shadow" in run("try", large, "shadow").stdout
    assert "tried beside it (shadow), version 2: amount > 300" in run("show", large).stdout
    assert "5 % of user_id" in run("try", large, "rollout", "--share", 5, "--entity", "user_id").stdout
    assert run("rollout", large).stdout.split()[:6] == ["share", "%", "arm", "version", "matches", "entities"]
    assert "large is active at version 2" in run("promote", large, "--comment", "as good").stdout
    with pytest.raises(ConflictError):
        run("abort", large)


def test_mutes_and_snoozes(run: Callable[..., Result], pipeline: dict[str, Any], large: str) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    said = run("mute", large, "--reason", "noise", "--until", until).stdout
    assert f"silences rule {large} until {until}T00:00:00+00:00" in said
    known = ("--until", f"{until}T06:00:00", "--reason", "known")
    assert "silences user_id u1" in run("snooze", "user_id", "u1", "--pipeline", pipeline["id"], *known).stdout
    listed = run("mutes", "--pipeline", pipeline["id"]).stdout.splitlines()
    assert [line.split()[1:3] for line in listed[1:]] == [["all", "user_id=u1"], [large, f"{until}T00:00:00+00:00"]]
    number = listed[1].split()[0]
    assert run("unmute", number).stdout == f"mute {number} has ended\n"
    assert len(run("mutes", "--pipeline", pipeline["id"]).stdout.splitlines()) == 2
    assert len(run("mutes", "--pipeline", pipeline["id"], "--ended").stdout.splitlines()) == 3


def test_what_is_wrong_is_shown_at_its_place(
    run: Callable[..., Result], pipeline: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    checked = run("check", "amuont > 1", "--pipeline", pipeline["id"])
    assert checked.exit_code == 1
    assert checked.stderr.splitlines()[1:] == ["  amuont > 1", "  ^"]
    assert "amount" in checked.stderr.splitlines()[0]
    assert run("check", "amount > 1", "--pipeline", pipeline["id"]).stdout == "amount > 1\n"
    refused = run("add", "amuont > 1", "--pipeline", pipeline["id"], "--severity", "info")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[1:] == ["  amuont > 1", "  ^"]


def test_warnings_are_shown_and_do_not_block(run: Callable[..., Result], pipeline: dict[str, Any], large: str) -> None:
    added = run("add", "country = NULL", "--pipeline", pipeline["id"], "--severity", "info")
    assert "is active" in added.stdout
    assert added.stderr.splitlines()[0].startswith("warning: Comparing with NULL by = is never true.")
    changed = run("change", large, "amount > 5 AND 1 = 1")
    assert "large is at version 2" in changed.stdout
    assert changed.stderr.startswith("warning: No field of the event is used here")
