"""`sentinel detectors` against a real API and a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sentinel.cli.detectors import app, run_rules
from sentinel.errors import ConflictError, InvalidError, NotFoundError, VersionMismatchError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from tests.support.detectors import DetectorBench

pytestmark = pytest.mark.integration

PAST = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def run(cli_of_tenant: None, monkeypatch: pytest.MonkeyPatch, settings: Settings, tenant: str) -> Callable[..., Result]:
    """Runs a command as the tenant."""
    mine = settings.model_copy(update={"tenant": tenant})
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, home=None: mine))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)

    return invoke


@pytest.fixture
def desk(settings: Settings, database: Database, tenant: str) -> DetectorBench:
    return DetectorBench(settings, database, tenant)


def test_a_detector_from_its_first_line_to_its_last(run: Callable[..., Result], tmp_path: Path) -> None:
    query = tmp_path / "failed.sql"
    query.write_text(
        "SELECT customer AS subject, 'low' AS level, count(*) AS value FROM webhook_events\n"
        "WHERE occurred_at >= :window_start AND occurred_at < :window_end GROUP BY customer\n"
    )
    made = run(
        "add", "failed", "sql", f"sql=@{query}", "late_hours=1", "--cron", "0 6 * * *", "--time-zone", "Asia/Tokyo"
    )
    assert made.stdout.startswith("failed runs first at ")
    assert "21:00:00" in made.stdout
    assert run("set", "failed", "late_hours=2", "grace_minutes=").stdout == "failed is at version 2\n"
    assert run("set", "failed", "--every", "600", "--description", "of customers").stdout == "failed is at version 3\n"
    (shown,) = [each for each in json.loads(run("list", "--json").stdout) if each["name"] == "failed"]
    assert (shown["changed_parameters"], shown["parameters"]["late_hours"]) == (["late_hours", "sql"], 2)
    assert run("disable", "failed").stdout == "failed is off\n"
    assert run("enable", "failed").stdout.startswith("failed runs next at ")
    assert "failed                    sql" in run("list").stdout
    assert run("run", "--name", "failed").exit_code == 0
    assert run("runs", "failed").stdout.splitlines()[1].split()[1:3] == ["request", "done"]
    assert run("delete", "failed").stdout == "failed is deleted\n"
    kinds = run("kinds").stdout
    assert "amount_spike: A payment far above the customer's mean" in kinds
    assert "    window_minutes=30" in kinds


def test_mistakes_are_told(run: Callable[..., Result]) -> None:
    with pytest.raises(NotFoundError, match="no detector 'nothing'"):
        run("enable", "nothing")
    with pytest.raises(InvalidError, match="not name=value"):
        run("add", "x", "amount_spike", "low")
    with pytest.raises(InvalidError, match="low: Input should be greater than 1, not '0'"):
        run("add", "x", "amount_spike", "low=0")
    with pytest.raises(InvalidError, match="cannot be read"):
        run("add", "x", "sql", "sql=@/no/such/file")
    with pytest.raises(InvalidError, match="either --every or --cron"):
        run("add", "x", "amount_spike", "--every", "60", "--cron", "* * * * *")
    with pytest.raises(InvalidError, match="nothing is to be changed"):
        run("set", "amount_spike")
    with pytest.raises(VersionMismatchError):
        run("set", "amount_spike", "low=9", "--if-version", "5")
    with pytest.raises(ConflictError, match="built in"):
        run("delete", "amount_spike")
    for moment in ("yesterday", "2026-01-01T00:00:00"):
        with pytest.raises(InvalidError, match="no time with its zone"):
            run("run", "--at", moment)


def test_a_run_for_cron_says_what_failed_by_its_exit_code(run: Callable[..., Result], desk: DetectorBench) -> None:
    nothing = run("run")
    assert (nothing.exit_code, "no detector is on" in nothing.stderr) == (0, True)
    desk.payments(desk.source(), PAST - timedelta(minutes=20), failed=15, succeeded=15)
    at = ("--at", "2026-03-02T13:05:00+01:00")
    good = run("run", *at)
    assert good.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in good.stdout.splitlines()[1:]}
    assert lines["payment_failure_spike"] == ["done", "11", "1", "1", "0"]
    assert set(lines) == {"payment_failure_spike", "subscription_churn_spike", "webhook_integrity"}
    again = run("run", *at)
    assert [line.split()[4] for line in again.stdout.splitlines()[1:]] == ["0", "0", "0"]
    desk.detector("gone", "a_gone")
    bad = run("run", *at)
    assert bad.exit_code == 1
    assert "a_gone failed: this version of Sentinel has no detector of kind 'gone'" in bad.stderr
    assert "payment_failure_spike" in bad.stdout
    assert run("run", *at, "--name", "payment_failure_spike").exit_code == 0
    by_name = run("run", "payment_failure_spike", *at)
    assert (by_name.exit_code, "webhook_integrity" in by_name.stdout) == (0, False)
    listed = run("list")
    assert "a_gone: this version" in listed.stderr


def test_the_former_name_does_the_same(run: Callable[..., Result], desk: DetectorBench) -> None:
    alias = typer.Typer()
    alias.command()(run_rules)
    desk.detector("amount_spike")
    done = CliRunner().invoke(alias, ["--at", "2026-03-02T12:05:00Z"], catch_exceptions=False)
    assert (done.exit_code, done.stdout.splitlines()[1].split()[:2]) == (0, ["amount_spike", "done"])
