"""Figures for Prometheus."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from httpx import Client
from prometheus_client.parser import text_string_to_metric_families

from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.stores.postgres.notifications.queues import PostgresQueueFigures
from tests.integration.api.findings import Findings
from tests.integration.api.test_events import counts, make_pipeline, payment


def figures(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Name -> values of its labels, by their names -> figure."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_events_by_http_are_counted_for_their_tenant_alone(
    client_of: Callable[..., Client], client: Client, settings: Settings, tenant: str
) -> None:
    pipeline_id, _ = make_pipeline(client)
    one = payment()
    answer = client.post(f"/api/pipelines/{pipeline_id}/events", json=[one, one, payment(), {"amount": 1}])
    assert counts(answer) == (2, 1, 1)
    found = figures(client)
    assert found["events_ingested_total"] == {
        ("accepted", tenant): 2,
        ("duplicate", tenant): 1,
        ("rejected", tenant): 1,
    }
    assert found["pipeline_status"] == {(str(pipeline_id), "active"): 1}
    assert found["job_up"] == {("none", str(pipeline_id)): 0}
    other = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, other, "test")
    told = figures(client_of(other, Scope.READ))
    assert told.get("events_ingested_total", {}) == {}
    assert "pipeline_status" not in told


def test_requests_are_counted_by_the_template_of_their_route(client: Client) -> None:
    name = "http_request_seconds_count"
    before = figures(client)[name]
    for path in ("/api/pipelines/999991", "/api/pipelines/999992", f"/no/{uuid.uuid4().hex}"):
        assert client.get(path).status_code == 404
    after = figures(client)[name]
    grown = {labels: count - before.get(labels, 0) for labels, count in after.items()}
    assert grown["GET", "/api/pipelines/{pipeline_id}", "404"] == 2
    assert grown["GET", "none", "404"] == 1


def test_alerts_and_records_are_counted(client: Client, database: Database, tenant: str) -> None:
    pipeline_id, _ = make_pipeline(client)
    rule = {"rule_expression": "amount > 1", "severity": "warning", "description": "d"}
    added = client.post(f"/api/pipelines/{pipeline_id}/rules", json=rule).json()
    findings = Findings(database, tenant)
    for event_id in ("a", "b", "c"):
        findings.alert(added, event_id)
    findings.dead_letter(pipeline_id, 20, "not_json")
    findings.dead_letter(pipeline_id, 21, "not_json")
    findings.progress(pipeline_id, 10, 17)
    findings.progress(pipeline_id, 0, 5, partition=1)
    found = figures(client)
    assert found["rules_triggered_total"] == {(str(pipeline_id), "warning"): 3}
    assert found["dead_letters_total"] == {("not_json", str(pipeline_id)): 2}
    assert found["records_decided_total"] == {(str(pipeline_id),): 12}


def test_without_a_key_nothing_is_told(anonymous: Client) -> None:
    assert anonymous.get("/metrics").status_code == 401


class TestWhatWaits:
    """Outbox, deliveries and webhooks of the caller's tenant."""

    def test_deliveries_and_circuits_are_told_by_channel(
        self, client: Client, client_of: Callable[..., Client], settings: Settings, database: Database, tenant: str
    ) -> None:
        options = {"url": "https://example.org/hook"}
        made = client.post("/api/channels", json={"name": "crm", "kind": "webhook", "options": options})
        assert made.status_code == 201, made.text
        findings, channel_id = Findings(database, tenant), made.json()["id"]
        for number, state in enumerate(("queued", "sending", "dead", "dead", "dead", "sent")):
            findings.run(
                "INSERT INTO sentinel.deliveries (id, tenant_id, channel_id, kind, severity, state, content, "
                "alert_count, round_began_at, next_attempt_at, created_at) "
                "VALUES (%s, %s, %s, 'alerts', 'info', %s, '{}', 1, now(), now(), now())",
                (f"dlv_{tenant}_{number}", tenant, channel_id, state),
            )
        findings.run(
            "INSERT INTO sentinel.channel_queues (channel_id, tenant_id, due_at) "
            "VALUES (%s, %s, now() - interval '90 s') ON CONFLICT (channel_id) DO UPDATE SET due_at = excluded.due_at",
            (channel_id, tenant),
        )
        labels = (str(channel_id), "webhook")
        found = figures(client)
        assert found["deliveries_queued"] == {labels: 2}
        assert found["deliveries_dead"] == {labels: 3}
        assert 90 <= found["deliveries_overdue_seconds"][labels] < 900
        assert found["channel_circuit_open"] == {labels: 0}
        findings.run(
            "UPDATE sentinel.channel_queues SET open_until = now() + interval '1 h' WHERE channel_id = %s",
            (channel_id,),
        )
        found = figures(client)
        assert found["channel_circuit_open"] == {labels: 1}
        assert found["deliveries_overdue_seconds"] == {labels: 0}
        other = f"t{uuid.uuid4().hex[:12]}"
        ensure_tenant(settings.postgres, other, "test")
        assert "deliveries_queued" not in figures(client_of(other, Scope.READ))

    def test_the_outbox_is_told_of_the_tenant_alone(
        self, client: Client, client_of: Callable[..., Client], settings: Settings, database: Database, tenant: str
    ) -> None:
        assert figures(client)["outbox_entries"] == {(): 0}
        for _ in range(2):
            Findings(database, tenant).run(
                "INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event, created_at) "
                "VALUES (%s, 1, 'fired', now() - interval '70 s')",
                (tenant,),
            )
        found = figures(client)
        assert found["outbox_entries"] == {(): 2}
        assert 70 <= found["outbox_age_seconds"][()] < 700
        told = PostgresQueueFigures(database).read()
        assert told.outbox_entries >= 2
        # Of the first one that waits, which another test may have left.
        assert told.outbox_age_seconds > 0
        other = f"t{uuid.uuid4().hex[:12]}"
        ensure_tenant(settings.postgres, other, "test")
        assert figures(client_of(other, Scope.READ))["outbox_entries"] == {(): 0}
        Findings(database, tenant).run("DELETE FROM sentinel.alert_outbox WHERE tenant_id = %s", (tenant,))

    def test_webhooks_that_were_refused_are_told_by_reason(self, client: Client) -> None:
        made = client.post(
            "/api/webhook-sources", json={"name": "shop", "kind": "stripe", "secrets": ["whsec_" + "x" * 32]}
        )
        assert made.status_code == 201, made.text
        assert client.post(made.json()["path"], content=b"{}").status_code == 401
        assert sum(figures(client)["webhooks_refused_last_day"].values()) == 1
        assert figures(client)["webhook_events_waiting"] == {(): 0}
