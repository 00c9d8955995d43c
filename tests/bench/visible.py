"""`python -m tests.bench.visible`: from an event's scheduled send time until a caller of the API sees its alert.

A caller asks for the newest alerts of a pipeline again and again, as an open page does, while events flow at a fixed
rate into a job of 100 rules. Every alert counts, from the time at which its event was due to the end of the first
answer that holds it; beside it the commit time of its row, which tells what of it is asking and answering.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from sentinel.testing.servers import start_servers
from tests.bench.api import running_api
from tests.bench.detection import PARTITIONS, WARM_UP_SECONDS, Bench, check_alerts
from tests.bench.workload import FIELDS, expected_alerts, make_events, make_rules


class Caller(threading.Thread):
    """Asks for the newest alerts and notes when it sees each for the first time."""

    def __init__(self, url: str, pipeline_id: int, pause: float) -> None:
        super().__init__(name="caller", daemon=True)
        self._client = httpx.Client(base_url=url, timeout=30)
        self._wanted = {"pipeline_id": pipeline_id, "limit": 200}
        self._pause = pause
        self.seen: dict[int, tuple[float, float]] = {}
        self.requests = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Ask until told to stop."""
        while not self.ended.wait(self._pause):
            found = self._client.get("/api/alerts", params=self._wanted).raise_for_status().json()
            now = time.time()
            self.requests += 1
            for alert in found:
                self.seen.setdefault(alert["id"], (alert["transaction_data"]["sent_at"], now))


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99."""
    return {
        f"p{share}_ms": round(float(value), 1)
        for share, value in zip((50, 95, 99), np.percentile(milliseconds, [50, 95, 99]), strict=True)
    }


def measure(bench: Bench, rate: int, seconds: int, pause: float) -> dict[str, Any]:
    """Measure one flow."""
    work, rules = bench.bench, make_rules(100)
    events = make_events(rate * (WARM_UP_SECONDS + seconds), seed=rate)
    topic = work.create_topic(PARTITIONS)
    pipeline_id = work.create_pipeline(topic, rules, fields=FIELDS)
    with (
        running_api(work.settings, SENTINEL_TENANT=work.tenant_id) as api,
        work.job(pipeline_id, SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS="15") as job,
    ):
        work.wait_generation(pipeline_id, job)
        caller = Caller(api.url, pipeline_id, pause)
        began = time.time()
        sender = threading.Thread(target=bench.send_at_rate, args=(topic, events, rate, began))
        sender.start()
        caller.start()
        sender.join()
        work.wait_decided(pipeline_id, topic, job)
        time.sleep(1)
        caller.ended.set()
        caller.join()
    right = expected_alerts(events, rules)
    check_alerts(work.alerts_by_rule(pipeline_id), right)
    rows = work.query(
        "SELECT id, 1000 * (extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
        " - (transaction_data->>'sent_at')::float8) AS ms FROM sentinel.alerts"
        " WHERE pipeline_id = %s AND (transaction_data->>'sent_at')::float8 > %s",
        pipeline_id,
        began + WARM_UP_SECONDS,
    )
    missed = [row["id"] for row in rows if row["id"] not in caller.seen]
    if missed:
        raise SystemExit(f"void: {len(missed)} of {len(rows)} alerts left the newest 200 unseen; ask more often")
    visible = [1000 * (caller.seen[row["id"]][1] - caller.seen[row["id"]][0]) for row in rows]
    return {
        "rate": rate,
        "alerts": len(rows),
        "requests_per_second": round(caller.requests / (WARM_UP_SECONDS + seconds), 1),
        "committed": percentiles([row["ms"] for row in rows]),
        "visible": percentiles(visible),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.visible", description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between an answer and the next question")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        print(json.dumps(measure(Bench(servers, Path(scratch)), options.rate, options.seconds, options.pause)))


if __name__ == "__main__":
    main()
