"""`python -m tests.bench.stores`: how fast a score is looked up, and how fast many alerts at once are committed.

Scores: one caller, one look-up after the other among a million, in Redis itself and over HTTP by an API in a process of
its own. Alerts: one transaction of the alert writer with 20,000 alerts that are new, of 12 fields and about 300 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.testing.servers import start_servers
from tests.bench.alerts_at_scale import arrange, commit_seconds
from tests.bench.api import running_api

CHUNK = 10_000
RESULTS = PROJECT_ROOT / "docs" / "stores.json"


def time_calls(name: str, call: Callable[[str], object], keys: Sequence[str]) -> dict[str, float]:
    """Call with each key; print and return the percentiles, milliseconds."""
    taken = np.empty(len(keys))
    for place, key in enumerate(keys):
        began = time.perf_counter()
        call(key)
        taken[place] = 1000 * (time.perf_counter() - began)
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    print(f"{name}: {len(keys):,} look-ups, p50/p95/p99 {p50:.2f}/{p95:.2f}/{p99:.2f} ms", flush=True)
    return {"p50": p50, "p95": p95, "p99": p99}


def measure_scores(settings: Settings, pipeline_id: int, count: int) -> dict[str, Any]:
    """Fill Redis, then look scores up; return the percentiles in it and over HTTP, milliseconds."""
    scores = ScoreStore(connect(settings.redis), settings.redis, settings.tenant, pipeline_id)
    dice = random.Random(1)
    for start in range(0, count, CHUNK):
        scores.write({f"e-{number}": 1 + number % 100 for number in range(start, start + CHUNK)}, {}, position=None)

    def direct(key: str) -> None:
        if scores.event_score(key) is None:
            raise SystemExit(f"the score of {key} is not there")

    in_redis = time_calls("in Redis", direct, [f"e-{dice.randrange(count)}" for _ in range(20_000)])
    with running_api(settings) as api, httpx.Client(base_url=api.url, timeout=30) as client:

        def over_http(key: str) -> None:
            found = client.get(f"/api/pipelines/{pipeline_id}/scores/{key}").raise_for_status().json()
            if found["status"] != "matched":
                raise SystemExit(f"the score of {key} is not there: {found}")

        time_calls("warm-up over HTTP", over_http, [f"e-{dice.randrange(count)}" for _ in range(500)])
        by_http = time_calls("over HTTP", over_http, [f"e-{dice.randrange(count)}" for _ in range(5_000)])
    return {"count": count, "in_redis": in_redis, "over_http": by_http}


def measure_alerts(
    settings: Settings, database: Database, snapshot: PipelineSnapshot, size: int, rounds: int
) -> dict[str, Any]:
    """Commit so many new alerts in one transaction, several times; return the seconds."""
    seconds = commit_seconds(settings, database, snapshot, size=size, rounds=rounds)
    median, slowest = float(np.median(seconds)), max(seconds)
    print(f"{size:,} alerts in one transaction: median {median:.2f} s, slowest {slowest:.2f} s", flush=True)
    return {"size": size, "median_seconds": median, "slowest_seconds": slowest}


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stores", description=__doc__)
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/stores.json")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack", ("postgres", "redis")) as servers:
        database = Database(servers.settings.postgres)
        database.open()
        snapshots = arrange(servers.settings, database)
        results = {
            "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
            "scores": measure_scores(servers.settings, snapshots[0].pipeline_id, options.scores),
            "alerts": measure_alerts(servers.settings, database, snapshots[0], options.alerts, options.rounds),
        }
        database.close()
    if options.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
