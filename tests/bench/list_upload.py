"""The largest list: 1 M rows uploaded, changed by one row, and in force in a running job.

Run as `python -m tests.bench.list_upload [--rows N]`; prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from config_api.app import create_app
from sentinel.client import Client
from sentinel.clock import monotonic_seconds
from sentinel.domain.api_key import Scope
from sentinel.testing.http import serve
from sentinel.testing.servers import start_servers
from tests.bench.processes import usage
from tests.support.detection import Job, Workbench

TENANT = "default"
RATE = 500
COLUMNS = [{"name": "user_id", "type": "string"}, {"name": "mean_amount", "type": "float"}]


def csv_of(rows: int, *, first_mean: float) -> bytes:
    """A list of means, of which the first row has another."""
    lines = [f"u{number},{number % 977 + 0.5}" for number in range(1, rows)]
    return "\n".join(["user_id,mean_amount", f"u0,{first_mean}", *lines, ""]).encode()


def timed(figures: dict[str, float], name: str, began: float) -> None:
    """Note the seconds since a moment."""
    figures[name] = round(monotonic_seconds() - began, 2)


def wait_for(bench: Workbench, pipeline_id: int, job: Job) -> None:
    """Wait until the newest rule set is in force."""
    bench.wait_until(
        "the newest rule set serves",
        lambda: bool(
            bench.query(
                "SELECT FROM sentinel.generations g JOIN sentinel.pipelines p ON p.id = g.pipeline_id"
                " WHERE g.state = 'active' AND g.rule_set_version = p.rule_set_version AND p.id = %s",
                pipeline_id,
            )
        ),
        job,
    )


def measure(bench: Workbench, client: Client, rows: int) -> dict[str, float]:
    """Upload, change, and wait until each is in force while events flow."""
    figures: dict[str, float] = {"rows": rows}
    body = csv_of(rows, first_mean=10.0)
    figures["MB"] = round(len(body) / 1e6, 1)
    process = psutil.Process()
    before = process.memory_info().rss
    client.create_list("user_stats", COLUMNS, "user_id")
    began = monotonic_seconds()
    client.upload_list("user_stats", body)
    timed(figures, "upload_seconds", began)
    figures["api_grew_by_mb"] = round((process.memory_info().rss - before) / 1e6)
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    ended = threading.Event()
    with bench.job(pipeline_id) as job:
        bench.wait_generation(pipeline_id, job)
        sender = threading.Thread(target=bench.send_steadily, args=(topic, RATE, lambda *_: ended.is_set()))
        sender.start()
        try:
            ended.wait(30)
            figures["driver_mb_before"] = driver_megabytes(job)
            began = monotonic_seconds()
            rule = "amount > (SELECT mean_amount * 3 FROM user_stats WHERE user_id = event.user_id)"
            bench.add_rule(pipeline_id, "three times the mean", rule)
            wait_for(bench, pipeline_id, job)
            timed(figures, "rule_in_force_seconds", began)
            ended.wait(10)
            changed = csv_of(rows, first_mean=11.0)
            began = monotonic_seconds()
            client.upload_list("user_stats", changed)
            timed(figures, "upload_again_seconds", began)
            wait_for(bench, pipeline_id, job)
            timed(figures, "again_in_force_seconds", began)
            began = monotonic_seconds()
            client.edit_list("user_stats", upsert=[{"user_id": "u0", "mean_amount": 12.0}])
            timed(figures, "edit_seconds", began)
            wait_for(bench, pipeline_id, job)
            timed(figures, "edit_in_force_seconds", began)
            figures["driver_mb_after"] = driver_megabytes(job)
        finally:
            ended.set()
            sender.join()
        bench.wait_decided(pipeline_id, topic, job)
    rows_of: list[dict[str, Any]] = bench.query("SELECT count(*)::int AS n FROM sentinel.alerts")
    figures["alerts"] = rows_of[0]["n"]
    return figures


def driver_megabytes(job: Job) -> int:
    """Resident memory of the driver and its JVM."""
    return round(sum(usage({"driver": job.process.pid}).rss_bytes.values()) / 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with TemporaryDirectory() as directory, start_servers(Path(directory) / "home") as servers:
        bench = Workbench(servers, TENANT, Path(directory), as_shipped=True)
        with bench.backend.unit(TENANT, "bench") as unit:
            key = unit.keys.create("bench", [Scope.READ, Scope.WRITE])[1]
        with serve(create_app(servers.settings)) as url, Client(url, api_key=key, timeout_seconds=600) as client:
            print(json.dumps(measure(bench, client, rows)))
        bench.close()


if __name__ == "__main__":
    main()
