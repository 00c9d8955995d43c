"""Alerts as CSV: all that fit, as they were stored, safe to open; and never half of them unsaid."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from typer.testing import CliRunner

from config_api.routers import alert_files
from sentinel.cli.alerts import app
from sentinel.client import Client as ApiClient
from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.ops.alert_csv import HEADING
from sentinel.stores.postgres.alerts import PostgresAlerts
from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import act
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration

FORMULAS = ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1")


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of the tenant."""
    return add_rule(client, pipeline["id"], description="=HYPERLINK(1)", name="large")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two."""
    monkeypatch.setattr(alert_files, "_PAGE", 2)


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def ids(content: bytes) -> list[int]:
    return [int(row["id"]) for row in read(content)]


class TestFile:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/alerts.csv").status_code == 401

    def test_another_tenant_gets_none_of_them(self, stranger: Client, rule: dict[str, Any], findings: Findings) -> None:
        findings.alert(rule, "e1")
        assert ids(stranger.get("/api/alerts.csv", params={"rule_id": rule["id"]}).content) == []

    def test_a_heading_even_without_alerts(self, client: Client) -> None:
        answer = client.get("/api/alerts.csv")
        assert answer.content == (",".join(HEADING) + "\r\n").encode()
        assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="alerts.csv"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    def test_all_that_fit_newest_first_page_by_page(
        self, small_pages: None, client: Client, rule: dict[str, Any], findings: Findings
    ) -> None:
        made = [findings.alert(rule, f"e{number}") for number in range(5)]
        act(client, ids=made[:3], status="resolved")
        assert ids(client.get("/api/alerts.csv").content) == made[::-1]
        assert ids(client.get("/api/alerts.csv", params={"status": "resolved"}).content) == made[2::-1]
        assert ids(client.get("/api/alerts.csv", params={"limit": 3}).content) == made[:1:-1]

    def test_it_reads_back_as_it_was_stored(self, client: Client, rule: dict[str, Any], findings: Findings) -> None:
        text = '{"note": "a,\\"b\\"\\nü😀", "id": 18446744073709551617, "amount": 0.1000000000000000055}'
        found = findings.alert(rule, 'x,"y"\nz', text)
        act(client, ids=[found], disposition="benign", assignee="ann")
        (row,) = read(client.get("/api/alerts.csv").content)
        assert (row["event_id"], row["assignee"], row["disposition"]) == ('x,"y"\nz', "ann", "benign")
        assert "18446744073709551617" in row["transaction_data"]
        assert "0.1000000000000000055" in row["transaction_data"]
        assert "ü😀" in row["transaction_data"]

    def test_no_cell_is_a_formula(self, client: Client, rule: dict[str, Any], findings: Findings) -> None:
        for text in FORMULAS:
            findings.alert(rule, text, {"note": f"a;{text}"})
        rows = read(client.get("/api/alerts.csv").content)
        assert {row["event_id"] for row in rows} == {f"'{text}" for text in FORMULAS}
        assert {row["rule_description"] for row in rows} == {"'=HYPERLINK(1)"}
        assert not any(cell.lstrip().startswith(tuple("=+-@")) for row in rows for cell in row.values())

    @pytest.mark.parametrize("wanted", [{"limit": 0}, {"severity": "high"}, {"since": "soon"}, {"rule_id": "x"}])
    def test_what_cannot_be_wanted_is_a_problem_and_no_file(self, client: Client, wanted: dict[str, Any]) -> None:
        answer = client.get("/api/alerts.csv", params=wanted)
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")

    def test_an_error_in_the_middle_breaks_off(
        self, small_pages: None, api: ApiClient, rule: dict[str, Any], findings: Findings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        for number in range(5):
            findings.alert(rule, f"e{number}")
        page = PostgresAlerts.page

        def fails(self: PostgresAlerts, wanted: Any, *, before: int | None, limit: int) -> Any:
            if before is not None:
                raise StoreUnavailableError("PostgreSQL", "away")
            return page(self, wanted, before=before, limit=limit)

        monkeypatch.setattr(PostgresAlerts, "page", fails)
        out = io.BytesIO()
        with pytest.raises(StoreUnavailableError, match="bytes of the file"):
            api.export_alerts(out)


class TestCommand:
    def run(self, *arguments: object) -> Any:
        return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)

    def test_the_same_bytes_as_the_api(
        self, cli_of_tenant: None, client: Client, rule: dict[str, Any], findings: Findings, tmp_path: Path
    ) -> None:
        for number in range(3):
            findings.alert(rule, f"e{number}")
        target = tmp_path / "alerts.csv"
        done = self.run("export", "--out", target, "--rule", rule["id"])
        assert (done.exit_code, target.read_bytes()) == (0, client.get("/api/alerts.csv").content)
        assert [each.name for each in tmp_path.iterdir()] == ["alerts.csv"]
        assert self.run("export", "--limit", 1).stdout_bytes.count(b"\r\n") == 2

    def test_half_a_file_is_never_left(
        self, cli_of_tenant: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def breaks(self: ApiClient, out: io.BytesIO, **_: Any) -> int:
            out.write(b"id")
            raise StoreUnavailableError("the API", "gone")

        monkeypatch.setattr(ApiClient, "export_alerts", breaks)
        with pytest.raises(StoreUnavailableError):
            self.run("export", "--out", tmp_path / "alerts.csv")
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_cannot_be_written_is_said(self, cli_of_tenant: None, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match="cannot be written"):
            self.run("export", "--out", tmp_path / "nowhere" / "alerts.csv")
