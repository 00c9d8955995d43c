"""The list of alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.clock import utc_now
from sentinel.domain.alert import AlertFilter
from sentinel.stores.postgres import alerts as alerts_store
from sentinel.stores.postgres.alerts import PostgresAlerts
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule, create_pipeline
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of severity critical."""
    return add_rule(client, pipeline["id"], "amount > 100", description="large")


def event_ids(client: Client, **wanted: Any) -> list[str]:
    """Return the event ids of one page."""
    answer = client.get("/api/alerts", params=wanted)
    assert answer.status_code == 200, answer.text
    return [item["event_id"] for item in answer.json()]


def test_anonymous_gets_401(anonymous: Client) -> None:
    assert anonymous.get("/api/alerts").status_code == 401


def test_another_tenant_sees_none_of_them(stranger: Client, findings: Findings, rule: dict[str, Any]) -> None:
    alert_id = findings.alert(rule, "e1")
    assert event_ids(stranger, pipeline_id=rule["pipeline_id"]) == []
    assert stranger.get("/api/alerts", params={"before": alert_id}).status_code == 404


class TestList:
    def test_an_alert_has_what_people_look_for(self, client: Client, findings: Findings, rule: dict[str, Any]) -> None:
        alert_id = findings.alert(rule, "e1", {"transaction_id": "e1", "amount": 250.5})
        (item,) = client.get("/api/alerts?limit=50").json()
        assert (
            item.items()
            >= {
                "id": alert_id,
                "pipeline_id": rule["pipeline_id"],
                "rule_id": rule["id"],
                "severity": "critical",
                "rule_name": rule["name"],
                "rule_description": "large",
                "transaction_data": {"transaction_id": "e1", "amount": 250.5},
                "score": 80,
                "kafka_timestamp": "2026-01-31T12:00:00Z",
            }.items()
        )
        assert datetime.fromisoformat(item["alert_timestamp"]).tzinfo is not None

    def test_numbers_keep_all_their_digits(self, client: Client, findings: Findings, rule: dict[str, Any]) -> None:
        findings.alert(rule, "e1", '{"amount": 12345678901234567890123.456789, "n": 123456789012345678901234567890}')
        text = client.get("/api/alerts").text
        assert "12345678901234567890123.456789" in text
        assert "123456789012345678901234567890" in text

    def test_the_description_is_that_of_the_version_that_matched(
        self, client: Client, findings: Findings, rule: dict[str, Any]
    ) -> None:
        findings.alert(rule, "e1")
        body = {"rule_expression": "amount > 1", "severity": "info", "description": "renamed"}
        changed = client.put(f"/api/rules/{rule['id']}", json=body).json()
        findings.alert(changed, "e2")
        listed = client.get("/api/alerts").json()
        assert [item["rule_description"] for item in listed] == ["renamed", "large"]

    def test_pages_follow_each_other_without_gap(
        self, client: Client, findings: Findings, rule: dict[str, Any]
    ) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(7):
            findings.alert(rule, f"e{number}", at=at + timedelta(hours=number // 3))
        seen: list[str] = []
        url = f"/api/alerts?limit=2&severity=critical&pipeline_id={rule['pipeline_id']}"
        pages = 0
        while url:
            answer = client.get(url)
            seen += [item["event_id"] for item in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
            pages += 1
        assert seen == [f"e{number}" for number in reversed(range(7))]
        assert pages == 4

    def test_alerts_that_arrive_between_pages_shift_nothing(
        self, client: Client, findings: Findings, rule: dict[str, Any]
    ) -> None:
        for number in range(4):
            findings.alert(rule, f"e{number}")
        first = client.get("/api/alerts?limit=2")
        findings.alert(rule, "new")
        second = client.get(first.links["next"]["url"])
        assert [item["event_id"] for item in first.json() + second.json()] == ["e3", "e2", "e1", "e0"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"limit": 0},
            {"limit": 1001},
            {"severity": "high"},
            {"since": "2026-01-01T00:00:00"},
            {"since": "yesterday"},
            {"text": ""},
            {"pipeline_id": "x"},
            {"text": "a\x00b"},
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        ],
    )
    def test_wrong_parameters_are_named(self, client: Client, wrong: dict[str, Any]) -> None:
        answer = client.get("/api/alerts", params=wrong)
        assert answer.status_code == 422
        assert answer.json()["errors"]


class TestFilter:
    @pytest.fixture(autouse=True)
    def _some(self, client: Client, findings: Findings, pipeline: dict[str, Any]) -> None:
        self.first = pipeline
        self.second = create_pipeline(client)
        self.large = add_rule(client, self.first["id"], "amount > 100", severity="critical")
        self.small = add_rule(client, self.first["id"], "amount > 10", severity="warning")
        self.other = add_rule(client, self.second["id"], "amount > 1", severity="info")
        start = datetime(2026, 1, 1, tzinfo=UTC)
        findings.alert(self.large, "a", {"note": "Straße 100%"}, at=start)
        findings.alert(self.small, "a", {"note": "Straße 100%"}, at=start)
        findings.alert(self.small, "b", {"note": "a_b"}, at=start + timedelta(days=1))
        findings.alert(self.other, "c", {"note": "axb"}, at=start + timedelta(days=2))

    def test_by_pipeline(self, client: Client) -> None:
        assert event_ids(client, pipeline_id=self.first["id"]) == ["b", "a", "a"]

    def test_by_severity(self, client: Client) -> None:
        assert event_ids(client, severity="warning") == ["b", "a"]

    def test_by_rule(self, client: Client) -> None:
        assert event_ids(client, rule_id=self.small["id"]) == ["b", "a"]

    def test_what_never_occurs_together_is_empty(self, client: Client) -> None:
        assert event_ids(client, rule_id=self.small["id"], severity="critical") == []
        assert event_ids(client, rule_id=self.small["id"], pipeline_id=self.second["id"]) == []
        assert event_ids(client, pipeline_id=self.second["id"], severity="critical") == []
        assert event_ids(client, rule_id=2**62) == []

    def test_a_rule_that_changed_its_severity_is_found_under_both(self, client: Client, findings: Findings) -> None:
        body = {"rule_expression": "amount > 100", "severity": "info", "description": "large"}
        changed = client.put(f"/api/rules/{self.large['id']}", json=body).json()
        findings.alert(changed, "d")
        assert event_ids(client, rule_id=self.large["id"], severity="info") == ["d"]
        assert event_ids(client, rule_id=self.large["id"], severity="critical") == ["a"]

    def test_by_event(self, client: Client) -> None:
        assert event_ids(client, event_id="a") == ["a", "a"]

    def test_by_time(self, client: Client) -> None:
        assert event_ids(client, since="2026-01-02T00:00:00Z") == ["c", "b"]
        assert event_ids(client, until="2026-01-02T00:00:00Z") == ["a", "a"]
        assert event_ids(client, since="2026-01-02T01:00:00+01:00", until="2026-01-03T00:00:00Z") == ["b"]

    @pytest.mark.parametrize(("text", "found"), [("STRASSE", []), ("straße", ["a", "a"]), ("100%", ["a", "a"])])
    def test_by_text_without_case(self, client: Client, text: str, found: list[str]) -> None:
        assert event_ids(client, text=text) == found

    def test_text_is_no_pattern(self, client: Client) -> None:
        assert event_ids(client, text="a_b") == ["b"]
        assert event_ids(client, text="%") == ["a", "a"]
        assert event_ids(client, text="\\") == []

    def test_all_together(self, client: Client) -> None:
        wanted = {
            "pipeline_id": self.first["id"],
            "severity": "warning",
            "text": "straße",
            "since": "2025-01-01T00:00Z",
        }
        assert event_ids(client, **wanted) == ["a"]


class TestTextSearch:
    """A search reads stretch by stretch and stops when its time is up."""

    def test_goes_on_where_it_stopped(
        self,
        monkeypatch: pytest.MonkeyPatch,
        database: Database,
        tenant: str,
        findings: Findings,
        rule: dict[str, Any],
    ) -> None:
        monkeypatch.setattr(alerts_store, "_WINDOW", 3)
        ids = [findings.alert(rule, f"e{n}", {"word": "needle" if n in {1, 8} else "hay"}) for n in range(10)]
        seconds = iter(range(0, 1000, 10))
        wanted = AlertFilter(text="NEEDLE")
        found, before, pages = [], None, 0
        with database.transaction(tenant) as connection:
            reader = PostgresAlerts(connection, lambda: float(next(seconds)))
            while True:
                page = reader.page(wanted, before=before, limit=5)
                found += [alert.event_id for alert in page.alerts]
                pages += 1
                if page.next_before is None:
                    break
                assert page.next_before in ids
                before = page.next_before
        assert found == ["e8", "e1"]
        assert pages == 4

    def test_reads_all_when_there_is_time(
        self,
        monkeypatch: pytest.MonkeyPatch,
        database: Database,
        tenant: str,
        findings: Findings,
        rule: dict[str, Any],
    ) -> None:
        monkeypatch.setattr(alerts_store, "_WINDOW", 3)
        for number in range(10):
            findings.alert(rule, f"e{number}", {"word": "needle"})
        with database.transaction(tenant) as connection:
            page = PostgresAlerts(connection, lambda: 0.0).page(AlertFilter(text="needle"), before=None, limit=7)
        assert [alert.event_id for alert in page.alerts] == [f"e{n}" for n in range(9, 2, -1)]
        assert page.next_before == page.alerts[-1].id


class TestAlertCount:
    def test_counts_what_was_written(self, client: Client, findings: Findings, rule: dict[str, Any]) -> None:
        for number in range(3):
            findings.alert(rule, f"e{number}")
        findings.run(
            "INSERT INTO sentinel.alerts (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, "
            "severity, score, transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp) "
            "SELECT tenant_id, pipeline_id, rule_id, rule_version_id, 1, event_id, severity, 1, '{}', '\\x00', 0, 0, "
            "now() FROM sentinel.alerts WHERE pipeline_id = %s ON CONFLICT DO NOTHING",
            (rule["pipeline_id"],),
        )
        (item,) = client.get("/api/pipelines").json()
        assert item["alert_count"] == 3

    def test_counts_down_what_was_deleted(self, client: Client, findings: Findings, rule: dict[str, Any]) -> None:
        for number in range(3):
            findings.alert(rule, f"e{number}")
        findings.run("DELETE FROM sentinel.alerts WHERE event_id = %s", ("e1",))
        assert client.get(f"/api/pipelines/{rule['pipeline_id']}").json()["alert_count"] == 2


class TestViews:
    """The views answer the questions people ask, as the application role of one tenant."""

    def test_the_four_queries(
        self, client: Client, stranger: Client, database: Database, tenant: str, findings: Findings
    ) -> None:
        cards, quiet = create_pipeline(client, name="Cards"), create_pipeline(client, name="Quiet", status="paused")
        large = add_rule(client, cards["id"], severity="critical", description="large")
        small = add_rule(client, cards["id"], severity="warning", description="small")
        create_pipeline(stranger)
        now = utc_now()
        for number in range(3):
            findings.alert(small, f"e{number}", {"user_id": "u1"}, at=now - timedelta(minutes=1))
        findings.alert(large, "e9", {"user_id": "u2"}, at=now - timedelta(minutes=1))
        findings.alert(large, "old", {"user_id": "u2"}, at=now - timedelta(days=3))
        with database.transaction(tenant) as connection:
            by_severity = connection.execute(
                "SELECT severity, COUNT(*) AS n, ROUND(COUNT(*) * 100.0 / SUM(COUNT(*)) OVER (), 2) AS percent "
                "FROM fraud_alerts WHERE alert_timestamp > NOW() - INTERVAL '24 hours' "
                "GROUP BY severity ORDER BY n DESC"
            ).fetchall()
            top_users = connection.execute(
                "SELECT transaction_data->>'user_id' AS user_id, COUNT(*) AS n FROM fraud_alerts "
                "GROUP BY transaction_data->>'user_id' ORDER BY n DESC LIMIT 10"
            ).fetchall()
            trend = connection.execute(
                "SELECT DATE_TRUNC('hour', alert_timestamp) AS hour, COUNT(*) AS n FROM fraud_alerts "
                "GROUP BY hour ORDER BY hour"
            ).fetchall()
            by_pipeline = connection.execute(
                "SELECT p.name, p.status, COUNT(a.id) AS n FROM pipelines p "
                "LEFT JOIN fraud_alerts a ON a.pipeline_id = p.id GROUP BY p.name, p.status ORDER BY n DESC"
            ).fetchall()
            rules = connection.execute("SELECT rule_expression, severity, is_active FROM rules").fetchall()
        assert [(row["severity"], row["n"], float(row["percent"])) for row in by_severity] == [
            ("warning", 3, 75.0),
            ("critical", 1, 25.0),
        ]
        assert [(row["user_id"], row["n"]) for row in top_users] == [("u1", 3), ("u2", 2)]
        assert [row["n"] for row in trend] == [1, 4]
        assert [(row["name"], row["status"], row["n"]) for row in by_pipeline] == [
            ("Cards", "active", 5),
            ("Quiet", "paused", 0),
        ]
        assert len(rules) == 2
        assert quiet["id"] > cards["id"]

    def test_without_a_tenant_they_are_empty(
        self, database: Database, findings: Findings, rule: dict[str, Any]
    ) -> None:
        findings.alert(rule, "e1")
        with database.transaction("") as connection:
            for view in ("pipelines", "rules", "fraud_alerts"):
                row = connection.execute(f"SELECT count(*) AS n FROM {view}").fetchone()
                assert row == {"n": 0}
