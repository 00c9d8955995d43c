"""An event by HTTP becomes an alert: request, topic, job, rule, alert, row in the lake."""

from __future__ import annotations

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.testing.http import serve
from tests.support.detection import Workbench

pytestmark = pytest.mark.integration


def test_an_event_by_http_becomes_an_alert(bench: Workbench) -> None:
    with serve(create_app(bench.settings)) as url, Client(base_url=url, timeout=30) as sender:
        first = sender.post("/events", content='{"type": "order", "amount": 750, "user_id": "u-1"}')
        assert first.status_code == 202, first.text
        (item,) = first.json()["items"]
        pipeline_id = item["pipeline_id"]
        rule = {
            "rule_expression": 'when event.type == "order" and amount > 500 then notify("slack:#big-orders")',
            "severity": "critical",
            "description": "big order",
        }
        assert sender.post(f"/api/pipelines/{pipeline_id}/rules", json=rule).status_code == 201
        with bench.job(pipeline_id) as job:
            bench.wait_generation(pipeline_id, job)
            # Without a running clock: amounts that match, that do not, and one event twice.
            events = [{"type": "order", "id": f"o-{n}", "amount": 400 + n} for n in range(200)]
            taken = sender.post("/events", json=[*events, events[150]])
            assert (taken.json()["accepted"], taken.json()["duplicate"]) == (200, 1)
            bench.wait_decided(pipeline_id, f"{bench.tenant_id}.events", job)
            bench.wait_archived(pipeline_id, job)
        found = sender.get("/api/alerts", params={"pipeline_id": pipeline_id, "limit": 500}).json()
        assert {alert["event_id"] for alert in found} == {item["event_id"], *(f"o-{n}" for n in range(101, 200))}
        assert {alert["rule_description"] for alert in found} == {"big order"}
        assert bench.query("SELECT count(*) AS n FROM sentinel.dead_letters WHERE pipeline_id = %s", pipeline_id) == [
            {"n": 0}
        ]
        assert sum(bench.archived(pipeline_id).values()) == 201
