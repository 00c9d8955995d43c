"""From `POST /events` to the webhook's receipt: milliseconds after the 202, at a rate, with everything on one machine.

Run as `python -m tests.bench.notify [--rate 20] [--seconds 60]`; prints one JSON line. API, detection job and worker
are processes of their own, beside PostgreSQL, Kafka, Redis and S3; every event is an alert, told by itself to one
receiver. Every alert must have arrived in the end.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from sentinel.clock import monotonic_seconds
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import start_servers
from tests.bench.api import running_api
from tests.support.detection import Workbench
from tests.support.receivers import HttpReceiver, http_receiver

TENANT = "bench"
WARM_UP = 50
PHASES = """
WITH told AS (
    SELECT a.kafka_timestamp, a.alert_timestamp, d.created_at, t.started_at, t.seconds
    FROM sentinel.alerts a
    JOIN sentinel.delivery_alerts m ON m.alert_id = a.id
    JOIN sentinel.deliveries d ON d.id = m.delivery_id
    JOIN sentinel.delivery_attempts t ON t.delivery_id = d.id
    ORDER BY a.id OFFSET %s
), spans AS (
    SELECT unnest(ARRAY['record to alert', 'alert to delivery', 'delivery to attempt', 'attempt']) AS phase,
           unnest(ARRAY[alert_timestamp - kafka_timestamp, created_at - alert_timestamp, started_at - created_at,
                        make_interval(secs => seconds)]) AS span
    FROM told
)
SELECT jsonb_object_agg(phase, shares) AS phases
FROM (SELECT phase, (SELECT array_agg(round(x::numeric * 1000, 1))
                     FROM unnest(percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM span))) x)
                    AS shares
      FROM spans GROUP BY phase) p
"""


def arrivals(receiver: HttpReceiver) -> dict[str, float]:
    """Return when each event's webhook arrived."""
    found: dict[str, float] = {}
    for received in receiver.received:
        event_id = json.loads(received.body)["details"]["alerts"][0]["event_id"]
        found.setdefault(event_id, received.at)
    return found


def measure(bench: Workbench, url: str, receiver: HttpReceiver, rate: float, seconds: float) -> dict[str, object]:
    """Send events at a rate and return what became of them."""
    with httpx.Client(base_url=url, timeout=30) as caller:
        made = caller.post(
            "/api/channels", json={"name": "crm", "kind": "webhook", "options": {"url": f"{receiver.url}/hooks"}}
        )
        made.raise_for_status()
        pipeline_id = caller.post("/events", json={"type": "order", "amount": 1}).json()["items"][0]["pipeline_id"]
        caller.post(
            f"/api/pipelines/{pipeline_id}/rules",
            json={"rule_expression": 'when amount > 500 then notify("webhook:crm")', "severity": "critical"},
        ).raise_for_status()
        with bench.job(pipeline_id) as job:
            bench.wait_generation(pipeline_id, job)
            count = WARM_UP + int(rate * seconds)
            taken: dict[str, float] = {}
            begin = monotonic_seconds()
            for number in range(count):
                time.sleep(max(0.0, begin + number / rate - monotonic_seconds()))
                event_id = f"o-{number}"
                answer = caller.post("/events", json={"type": "order", "id": event_id, "amount": 600})
                taken[event_id] = monotonic_seconds()
                assert answer.status_code == 202, answer.text
            bench.wait_until("every webhook came", lambda: len(receiver.received) >= count, job, timeout=60)
        found = arrivals(receiver)
        phases = bench.query(PHASES, WARM_UP)[0]["phases"]
        states = bench.query("SELECT state, count(*) AS n FROM sentinel.deliveries GROUP BY state")
    assert set(found) == set(taken), "an alert was not told"
    late = np.array([found[event_id] - at for event_id, at in list(taken.items())[WARM_UP:]]) * 1000
    p50, p95, p99 = (round(float(value), 1) for value in np.percentile(late, [50, 95, 99]))
    return {
        "events": len(late),
        "rate": rate,
        "from_202_to_receipt_ms": {"p50": p50, "p95": p95, "p99": p99, "max": round(float(late.max()), 1)},
        "phases_p50_p95_ms": phases,
        "received": len(receiver.received),
        "twice": len(receiver.received) - len(found),
        "deliveries": {row["state"]: row["n"] for row in states},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    with TemporaryDirectory() as directory, http_receiver() as receiver:
        home = Path(directory)
        with start_servers(home / "stack") as servers:
            ensure_tenant(servers.settings.postgres, TENANT, TENANT)
            bench = Workbench(servers, TENANT, home, as_shipped=True)
            environment = {
                "SENTINEL_TENANT": TENANT,
                "SENTINEL_NOTIFY__ALLOWED_NETWORKS": "127.0.0.0/8",
                "SENTINEL_INGEST__EVENTS_PER_MINUTE": "0",
            }
            worker = bench.start_notifier(SENTINEL_NOTIFY__ALLOWED_NETWORKS="127.0.0.0/8")
            try:
                with running_api(servers.settings, **environment) as api:
                    print(json.dumps(measure(bench, api.url, receiver, chosen.rate, chosen.seconds)))
            finally:
                worker.stop()
                bench.close()


if __name__ == "__main__":
    main()
