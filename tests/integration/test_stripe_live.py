"""Stripe's signed webhooks through a running job of the built-in pipeline: topic, rules, alerts, lake."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.domain.webhook import MAX_BODY_BYTES
from sentinel.testing.http import serve
from tests.integration.api.test_webhooks import create_source, send, wait_until_published
from tests.support.detection import Workbench
from tests.support.webhooks import stripe_headers

pytestmark = pytest.mark.integration

FAILED = "type IN ('charge.failed', 'invoice.payment_failed', 'payment_intent.payment_failed')"


@pytest.fixture
def events(shared_data: Path) -> list[dict[str, Any]]:
    """The 88 recorded events, each with an id of its own."""
    lines = (shared_data / "stripe_events" / "events.jsonl").read_text().splitlines()
    return [{**json.loads(line)["event"], "id": f"evt_{number}"} for number, line in enumerate(lines)]


def test_a_payment_that_fails_is_an_alert_and_every_event_is_in_the_lake_once(
    bench: Workbench, events: list[dict[str, Any]]
) -> None:
    failures = {event["id"]: event for event in events if event["type"].endswith(("charge.failed", "payment_failed"))}
    assert (len(events), len(failures)) == (88, 3)
    with serve(create_app(bench.settings)) as url, Client(base_url=url, timeout=60) as client:
        source = create_source(client)
        pipeline_id = int(source["pipeline_id"])
        rule = {"rule_expression": FAILED, "severity": "critical", "description": "A payment failed"}
        assert client.post(f"/api/pipelines/{pipeline_id}/rules", json=rule).status_code == 201
        topic = client.get(f"/api/pipelines/{pipeline_id}").json()["kafka_topic"]
        assert topic == f"{bench.tenant_id}.stripe"
        deliver(client, source, events)
        wait_until_published(client, source)
        with bench.job(pipeline_id) as job:
            bench.wait_settled(pipeline_id, topic, job)
            # The topic is there, and so is the job: what comes now goes the same way.
            late = {**next(iter(failures.values())), "id": "evt_late"}
            assert send(client, source, json.dumps(late).encode()).json()["status"] == "stored"
            wait_until_published(client, source)
            bench.wait_settled(pipeline_id, topic, job)
            assert job.stop() == 0, job.tail()
        alerts = client.get("/api/alerts", params={"pipeline_id": pipeline_id}).json()
    found = {alert["event_id"]: alert["transaction_data"] for alert in alerts}
    assert found.keys() == {*failures, "evt_late"}
    for event_id, event in failures.items():
        told, about = found[event_id], event["data"]["object"]
        assert (told["type"], told["object_type"], told["object_id"]) == (event["type"], about["object"], about["id"])
    assert "0 lost, 0 doubled" in bench.command("reconcile", str(pipeline_id))
    assert (
        bench.query("SELECT count(*) AS n FROM sentinel.dead_letters WHERE pipeline_id = %s", pipeline_id)[0]["n"] == 0
    )
    query = f"SELECT id, type FROM events_{pipeline_id} ORDER BY id"
    rows = json.loads(bench.command("lake", "query", query, "--format", "json"))
    assert {row["id"]: row["type"] for row in rows} == {event["id"]: event["type"] for event in [*events, late]}


def deliver(client: Client, source: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """Deliver each as Stripe does: in any order, some of them twice, a forged one among them."""
    random = Random(7)
    bodies = [json.dumps(event).encode() for event in events]
    for body in random.sample([*bodies, *bodies[:10]], len(bodies) + 10):
        assert len(body) < MAX_BODY_BYTES
        assert send(client, source, body).json()["status"] in {"stored", "duplicate"}
    forged = json.dumps({**events[0], "id": "evt_forged", "type": "charge.failed"}).encode()
    assert send(client, source, forged, stripe_headers(b"{}")).status_code == 401
