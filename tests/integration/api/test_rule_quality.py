"""What people found a rule's alerts to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import act
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of the tenant."""
    return add_rule(client, pipeline["id"], "amount > 100", description="large")


class TestQuality:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/rules/1/quality").status_code == 401

    def test_another_tenant_gets_404(self, stranger: Client, rule: dict[str, Any]) -> None:
        assert stranger.get(f"/api/rules/{rule['id']}/quality").status_code == 404

    def test_a_rule_without_alerts_has_none(self, client: Client, rule: dict[str, Any]) -> None:
        found = client.get(f"/api/rules/{rule['id']}/quality").json()
        assert (found["total"]["alerts"], found["total"]["precision"], found["versions"]) == (0, None, [])

    def test_each_version_is_judged_by_its_own_alerts(
        self, client: Client, findings: Findings, rule: dict[str, Any], database: Database, tenant: str
    ) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        first = [findings.alert(rule, f"a{number}", at=at) for number in range(4)]
        changed = client.put(
            f"/api/rules/{rule['id']}", json={"rule_expression": "amount > 200", "severity": "info", "description": "x"}
        ).json()
        second = [findings.alert(changed, f"b{number}", at=at + timedelta(days=1)) for number in range(2)]
        act(client, ids=first[:3], status="acknowledged")
        act(client, ids=first[:2], status="resolved", disposition="true_positive")
        act(client, ids=[first[2], second[0]], disposition="false_positive")
        act(client, ids=[second[1]], disposition="benign", status="suppressed")
        findings.run(
            "UPDATE sentinel.alert_states SET acknowledged_at = alert_timestamp + make_interval(secs => 60 * alert_id "
            "- 60 * %s), resolved_at = CASE WHEN resolved_at IS NOT NULL THEN alert_timestamp + interval '1 hour' END "
            "WHERE acknowledged_at IS NOT NULL",
            (first[0],),
        )
        wanted = {"since": at.isoformat(), "until": (at + timedelta(days=2)).isoformat()}
        found = client.get(f"/api/rules/{rule['id']}/quality", params=wanted).json()
        newest, oldest = found["versions"]
        assert (newest["version"], newest["alerts"], newest["suppressed"], newest["benign"]) == (2, 2, 1, 1)
        assert newest["precision"]["value"] == 0
        assert newest["seconds_to_acknowledge"] is None
        assert (oldest["version"], oldest["alerts"], oldest["acknowledged"], oldest["resolved"]) == (1, 4, 3, 2)
        assert (oldest["true_positives"], oldest["false_positives"]) == (2, 1)
        assert oldest["precision"]["value"] == pytest.approx(2 / 3)
        assert oldest["precision"]["low"] < 2 / 3 < oldest["precision"]["high"]
        assert (oldest["seconds_to_acknowledge"], oldest["seconds_to_resolve"]) == (60, 3600)
        assert (found["total"]["version"], found["total"]["alerts"]) == (None, 6)
        early = client.get(f"/api/rules/{rule['id']}/quality", params={**wanted, "until": "2026-01-02T00:00:00Z"})
        assert [item["version"] for item in early.json()["versions"]] == [1]

    @pytest.mark.parametrize(
        "wanted",
        [
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            {"until": "0001-01-02T00:00:00Z"},
            {"since": "2026-01-02T00:00:00"},
        ],
    )
    def test_a_range_that_cannot_be_is_refused(self, client: Client, rule: dict[str, Any], wanted: Any) -> None:
        assert client.get(f"/api/rules/{rule['id']}/quality", params=wanted).status_code == 422
