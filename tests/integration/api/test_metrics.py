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
