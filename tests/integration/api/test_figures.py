"""Figures over time: of a tenant beside the period before, and of one pipeline."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.client import Client as ApiClient
from sentinel.clock import utc_now
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule, create_pipeline
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


def minute(findings: Findings, pipeline_id: int, tenant: str, ago: timedelta, decided: int) -> None:
    findings.run(
        "INSERT INTO sentinel.detection_minutes "
        "(pipeline_id, tenant_id, minute, decided_count, dead_count, lag_records) "
        "VALUES (%s, %s, date_bin('1 minute', %s, 'epoch'), %s, 1, 7)",
        (pipeline_id, tenant, utc_now() - ago, decided),
    )


def lease(findings: Findings, pipeline_id: int, tenant: str, lag: int) -> None:
    findings.run(
        "INSERT INTO sentinel.leases (pipeline_id, tenant_id, holder, epoch, expires_at, details) "
        "VALUES (%s, %s, 'h', 1, now() + interval '1 hour', jsonb_build_object('lag_records', %s::bigint))",
        (pipeline_id, tenant, lag),
    )


class TestAccess:
    @pytest.mark.parametrize("path", ["/api/figures", "/api/pipelines/1/history"])
    def test_anonymous_gets_401(self, anonymous: Client, path: str) -> None:
        assert anonymous.get(path).status_code == 401

    def test_another_tenant_gets_404(self, stranger: Client, pipeline: dict[str, Any]) -> None:
        assert stranger.get(f"/api/pipelines/{pipeline['id']}/history").status_code == 404

    def test_figures_are_of_ones_own_tenant(
        self, stranger: Client, pipeline: dict[str, Any], tenant: str, findings: Findings
    ) -> None:
        minute(findings, pipeline["id"], tenant, timedelta(minutes=1), 987_654_321)
        assert stranger.get("/api/figures").json()["period"]["decided"] < 987_654_321

    @pytest.mark.parametrize("hours", ["0", "97", "-1", "x", "1e9", "99999999999999999999"])
    def test_a_period_that_is_not_kept_is_refused(self, client: Client, hours: str) -> None:
        answer = client.get("/api/figures", params={"hours": hours})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "hours"

    def test_a_history_that_is_not_kept_is_refused(self, client: Client, pipeline: dict[str, Any]) -> None:
        assert client.get(f"/api/pipelines/{pipeline['id']}/history", params={"hours": 169}).status_code == 422


class TestFigures:
    def test_of_a_tenant_without_anything(self, client: Client) -> None:
        answer = client.get("/api/figures").json()
        nothing = {
            "decided": 0, "dead_letters": 0, "alerts": 0, "critical": 0, "worst_lag": None, "p95_ms": None,
        }  # fmt: skip
        assert (answer["period"], answer["previous"]) == (nothing, nothing)
        assert answer["now"] == {
            "pipelines": 0, "active": 0, "active_before": 0, "running": 0, "events_per_second": 0.0,
            "worst_lag": None, "worst_lag_pipeline_id": None,
        }  # fmt: skip
        assert 24 <= len(answer["hours"]) <= 25
        assert {(hour["critical"], hour["warning"], hour["info"]) for hour in answer["hours"]} == {(0, 0, 0)}

    def test_a_period_beside_the_one_before(
        self, client: Client, pipeline: dict[str, Any], tenant: str, findings: Findings
    ) -> None:
        rule = add_rule(client, pipeline["id"])
        now = utc_now()
        for number, ago in enumerate((1, 2, 23, 25, 49)):
            findings.alert(rule, f"e{number}", at=now - timedelta(hours=ago))
            minute(findings, pipeline["id"], tenant, timedelta(hours=ago), 100)
        answer = client.get("/api/figures").json()
        assert answer["period"].items() >= {"alerts": 3, "critical": 3, "decided": 300, "dead_letters": 3}.items()
        assert answer["previous"].items() >= {"alerts": 1, "critical": 1, "decided": 100, "worst_lag": 7}.items()
        assert answer["period"]["p95_ms"] > 0
        assert sum(hour["critical"] for hour in answer["hours"]) == 3

    def test_now(self, client: Client, tenant: str, findings: Findings) -> None:
        first, second = create_pipeline(client), create_pipeline(client)
        create_pipeline(client, status="paused")
        lease(findings, first["id"], tenant, 5)
        lease(findings, second["id"], tenant, 50)
        minute(findings, first["id"], tenant, timedelta(0), 600)
        found = client.get("/api/figures").json()["now"]
        assert (found["pipelines"], found["active"], found["running"]) == (3, 2, 2)
        assert (found["worst_lag"], found["worst_lag_pipeline_id"]) == (50, second["id"])
        assert 5 <= found["events_per_second"] <= 10

    def test_how_many_pipelines_were_active_when_the_period_began(
        self, client: Client, tenant: str, findings: Findings
    ) -> None:
        def create(status: str, age: str, *changes: tuple[str, str, str]) -> int:
            made: int = create_pipeline(client)["id"]
            findings.run(
                "UPDATE sentinel.pipelines SET status = %s, created_at = now() - %s::interval WHERE id = %s",
                (status, age, made),
            )
            for before, after, ago in changes:
                findings.run(
                    "INSERT INTO sentinel.audit_entries "
                    "(tenant_id, actor, action, object_type, object_id, before, after, created_at) "
                    "VALUES (%s, 'ann', 'pipeline.status', 'pipeline', %s, jsonb_build_object('status', %s::text), "
                    "jsonb_build_object('status', %s::text), now() - %s::interval)",
                    (tenant, made, before, after, ago),
                )
            return made

        create("active", "3 days")
        create("active", "1 hour")
        create("paused", "3 days", ("active", "paused", "1 hour"))
        create("paused", "3 days", ("active", "paused", "2 days"))
        create("stopped", "3 days", ("paused", "active", "2 hours"), ("active", "stopped", "1 hour"))
        just_now = create("active", "3 days")
        client.patch(f"/api/pipelines/{just_now}/status", json={"status": "paused"}).raise_for_status()
        found = client.get("/api/figures", params={"hours": 24}).json()["now"]
        assert (found["pipelines"], found["active"], found["active_before"]) == (6, 2, 3)

    def test_the_client(self, api: ApiClient) -> None:
        assert api.figures(hours=1).period.alerts == 0


class TestHistory:
    def test_spans_from_the_creation_on(
        self, client: Client, pipeline: dict[str, Any], tenant: str, findings: Findings
    ) -> None:
        findings.run(
            "UPDATE sentinel.pipelines SET created_at = now() - interval '3 hours' WHERE id = %s", (pipeline["id"],)
        )
        rule = add_rule(client, pipeline["id"], severity="warning")
        minute(findings, pipeline["id"], tenant, timedelta(minutes=30), 100)
        findings.alert(rule, "e", at=utc_now() - timedelta(minutes=30))
        answer = client.get(f"/api/pipelines/{pipeline['id']}/history").json()
        assert answer["span_seconds"] == 900
        points = answer["points"]
        assert 12 <= len(points) <= 14
        starts = [datetime.fromisoformat(point["at"]) for point in points]
        assert {after - before for before, after in itertools.pairwise(starts)} == {timedelta(minutes=15)}
        busy = [point for point in points if point["decided"]]
        assert [(each["decided"], each["dead_letters"], each["lag"], each["warning"]) for each in busy] == [
            (100, 1, 7, 1)
        ]
        assert busy[0]["p95_ms"] == busy[0]["p50_ms"] > 0

    def test_the_client(self, api: ApiClient, pipeline: dict[str, Any]) -> None:
        found = api.history(pipeline["id"], hours=1)
        assert (found.span_seconds, [point.decided for point in found.points][-1]) == (60, 0)


class TestMinutes:
    def test_alerts_of_a_detector_count(self, client: Client, tenant: str, findings: Findings) -> None:
        findings.run(
            "INSERT INTO sentinel.alerts (tenant_id, event_id, severity, score, transaction_data, content_hash, "
            "detector_id, window_start, window_end, subject) "
            "VALUES (%s, 'w', 'info', 1, '{}', '\\x00', 1, now() - interval '1 hour', now(), 's')",
            (tenant,),
        )
        answer = client.get("/api/figures").json()
        assert answer["period"]["alerts"] == 1
        assert answer["hours"][-1]["info"] + answer["hours"][-2]["info"] == 1
