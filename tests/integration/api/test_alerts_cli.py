"""`sentinel alerts` against a real API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Client
from typer.testing import CliRunner, Result

from sentinel.cli.alerts import app
from sentinel.domain.labels import read_labels
from sentinel.errors import ConflictError, InvalidError
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def run(cli_of_tenant: None) -> Callable[..., Result]:
    """Runs a command; one that fails raises."""

    def invoke(*arguments: object, **more: Any) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False, **more)

    return invoke


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of the tenant."""
    return add_rule(client, pipeline["id"], "amount > 100", description="large", name="large")


@pytest.fixture
def alerts(database: Database, tenant: str, rule: dict[str, Any]) -> list[int]:
    """Three alerts, oldest first."""
    findings = Findings(database, tenant)
    return [findings.alert(rule, f"e{number}") for number in range(3)]


def test_an_alert_from_its_acknowledgement_to_its_end(run: Callable[..., Result], alerts: list[int]) -> None:
    first = alerts[0]
    assert run("ack", first).stdout == "1 changed, 0 as they were, 0 in conflict, 0 not there\n"
    run("assign", first, "--to", "ann")
    assert run("note", first, "a\x1b[2Jb").stdout == f"alert {first} has a note more\n"
    run("resolve", first, "--as", "false_positive")
    shown = run("show", first).stdout
    assert f"alert {first} of large: critical, resolved" in shown
    assert "status: open -> acknowledged" in shown
    assert "disposition: false_positive" in shown
    assert "notes: a\\x1b[2Jb" in shown
    assert "\x1b" not in shown
    listed = run("list", "--status", "resolved").stdout.splitlines()
    assert listed[1].split()[-3:] == ["resolved", "ann", "false_positive"]
    assert len(listed) == 2
    assert [line.split()[0] for line in run("list").stdout.splitlines()[1:]] == [str(each) for each in alerts[::-1]]
    assert run("reopen", first).exit_code == 0
    run("disposition", first, "--as", "none")
    assert run("list", "--disposition", "false_positive").stdout.count("\n") == 1


def test_many_by_filter_are_counted_first(run: Callable[..., Result], alerts: list[int], rule: dict[str, Any]) -> None:
    chosen = ("--rule", rule["id"], "--in-status", "open")
    assert (
        run("resolve", *chosen, "--dry-run").stdout
        == "3 would be changed, 0 as they were, 0 in conflict, 0 not there\n"
    )
    declined = run("resolve", *chosen, input="n\n")
    assert (declined.exit_code, "Change 3 alerts?" in declined.stdout) == (1, True)
    assert "3 changed" in run("resolve", *chosen, input="y\n").stdout
    assert "3 changed" in run("reopen", "--all", "--yes").stdout


def test_what_was_left_as_it_was_is_said(run: Callable[..., Result], alerts: list[int]) -> None:
    run("resolve", alerts[0])
    done = run("ack", *alerts, 2**62)
    assert (done.exit_code, done.stdout) == (1, "2 changed, 0 as they were, 1 in conflict, 1 not there\n")
    assert f"alert {alerts[0]} is resolved" in done.stderr
    assert f"there is no alert {2**62}" in done.stderr


def test_quality_and_labels(run: Callable[..., Result], alerts: list[int], rule: dict[str, Any]) -> None:
    run("disposition", alerts[0], alerts[1], "--as", "true_positive")
    run("disposition", alerts[2], "--as", "false_positive")
    told = run("quality", rule["id"]).stdout.splitlines()
    assert told[1].split()[:8] == ["1", "3", "0", "0", "2", "1", "0", "0.667"]
    assert told[2].split()[0] == "all"
    labels = read_labels(run("labels", rule["pipeline_id"]).stdout.encode())
    assert (set(labels.true), set(labels.false)) == ({"e0", "e1"}, {"e2"})


@pytest.mark.parametrize(
    "arguments",
    [("ack",), ("ack", "1", "--rule", "1"), ("assign", "1"), ("disposition", "1"), ("ack", "--since", "yesterday")],
)
def test_what_cannot_work_is_said(run: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidError):
        run(*arguments)


def test_one_that_is_refused_by_the_api(run: Callable[..., Result], alerts: list[int], api: Any) -> None:
    api.change_alert(alerts[0], status="resolved")
    with pytest.raises(ConflictError, match="only open"):
        api.change_alert(alerts[0], status="suppressed")
