"""What care of the lake spares: files, bytes and the time of queries, before it and after.

    python -m tests.bench.lake [--events N] [--commits N] [--write]

An hour of a pipeline is archived by the archive's own code into the local S3 server: as many commits as the archive
makes in an hour (240), or `--commits`. Then the date counts as over, and its files are merged as the worker does it.
Queries go the way of `sentinel lake query`; each runs three times, and the median counts. `--write` keeps the figures
in docs/lake-care.json and docs/lake-care.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.lake_care import TableShape, plan_care
from sentinel.domain.lake_table import column_names
from sentinel.domain.pipeline import PipelineConfig
from sentinel.localstack.java import find_java
from sentinel.localstack.paths import jars_root
from sentinel.settings import PROJECT_ROOT, JobSettings, LakeSettings, Settings
from sentinel.stores.lake.care import DeltaTableCare
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options
from sentinel.stores.lake.query import QueryLimits, run_query
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import build_session, evaluation_session
from sentinel.streaming.sink.lake_table import TableTransaction, append, lake_rows
from sentinel.testing.servers import start_servers
from sentinel.wiring_lake_care import policy_of
from tests.bench.workload import FIELDS, make_events

TENANT, PIPELINE, PARTITIONS = "default", 1, 4
BEGIN = datetime(2026, 1, 31, 8, tzinfo=UTC)
COMMITS_PER_HOUR = 240
ROUNDS = 3
# Sorting is tried on so many rows at most, in memory.
MOST_SORTED = 2_000_000
QUERIES = {
    "all events by country": "SELECT country, count(*), sum(amount) FROM events GROUP BY country",
    "one user's events": "SELECT count(*), sum(amount) FROM events WHERE user_id = 'user-00000123'",
    "five minutes by merchant": (
        "SELECT merchant_id, count(*) AS n FROM events WHERE _timestamp >= TIMESTAMPTZ '2026-01-31 08:20:00Z' "
        "AND _timestamp < TIMESTAMPTZ '2026-01-31 08:25:00Z' GROUP BY merchant_id ORDER BY n DESC LIMIT 10"
    ),
}


def archive_hour(spark: SparkSession, lake: LakeSettings, events: int, commits: int, scratch: Path) -> int:
    """Append the events in so many commits, as the archive does; return the bytes of their JSON."""
    session = evaluation_session(spark)
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    schema, uri = EventSchema.from_json(FIELDS), events_uri(lake, TENANT, PIPELINE)
    config, raw_bytes, file = PipelineConfig(future_tolerance_seconds=10**9), 0, scratch / "records.parquet"
    per_commit = -(-events // commits)
    for commit in range(commits):
        count = min(per_commit, events - commit * per_commit)
        values = list(make_events(count, seed=commit + 1).encoded(0, np.full(count, BEGIN.timestamp())))
        raw_bytes += sum(map(len, values))
        span = timedelta(hours=1) / commits
        at = [BEGIN + span * (commit + number / count) for number in range(count)]
        # Kafka's source reads one partition after the other.
        order = sorted(range(count), key=lambda number: number % PARTITIONS)
        records = {
            "value": [values[number] for number in order],
            "partition": pa.array([number % PARTITIONS for number in order], pa.int32()),
            "offset": pa.array([commit * per_commit + number for number in order], pa.int64()),
            "timestamp": pa.array([at[number] for number in order], pa.timestamp("us", tz="UTC")),
        }
        pq.write_table(pa.table(records), file)
        read = session.read.parquet(file.as_uri()).coalesce(1)
        parsed = parse(read, schema, config, topic="events", source_epoch=0)
        names = column_names([(1, schema)])
        rows = lake_rows(parsed, names, schema, topic="events", schema_version=1, generation_id=1)
        append(rows, spark_uri(uri), TableTransaction("bench", commit + 1))
    return raw_bytes


def queries(lake: LakeSettings) -> dict[str, float]:
    """Return the median seconds of each query, without the start of its process."""
    limits = QueryLimits(timeout_seconds=600)
    return {
        name: median(run_query(lake, TENANT, sql, {"events": PIPELINE}, limits).seconds for _ in range(ROUNDS))
        for name, sql in QUERIES.items()
    }


def sorted_bytes(lake: LakeSettings, rows: int, scratch: Path) -> int | None:
    """Return how large the table would be in one file that is sorted by its entity."""
    if rows > MOST_SORTED:
        return None
    table = DeltaTable(events_uri(lake, TENANT, PIPELINE), storage_options=storage_options(lake)).to_pyarrow_table()
    file = scratch / "sorted.parquet"
    pq.write_table(table.drop(["date"]).sort_by("user_id"), file, compression="zstd", compression_level=3)
    return file.stat().st_size


def measure(lake: LakeSettings, spark: SparkSession, events: int, commits: int, scratch: Path) -> dict[str, Any]:
    """Archive, ask, merge, ask again."""
    care = DeltaTableCare(lake, step_seconds=3_600, memory_mib=512, new_step=lambda: "bench")
    raw_bytes = archive_hour(spark, lake, events, commits, scratch)
    before = shape_of(care)
    found: dict[str, Any] = {
        "at": utc_now().date().isoformat(),
        "machine": f"{os.cpu_count()} CPUs, {platform.platform()}",
        "events": events,
        "commits": commits,
        "raw_bytes": raw_bytes,
        "files_per_hour": round(before.file_count * COMMITS_PER_HOUR / commits),
        "before": {"files": before.file_count, "bytes": before.size_bytes, "queries": queries(lake)},
    }
    policy = policy_of(Settings().lake_care)
    # As it is found on the next day.
    plan = plan_care(before, policy, utc_now() + timedelta(days=1), utc_now())
    began = monotonic_seconds()
    for compaction in plan.compactions:
        care.compact(TENANT, PIPELINE, compaction, is_stopped=lambda: False)
    found["care_seconds"] = round(monotonic_seconds() - began, 2)
    after = shape_of(care)
    found["after"] = {"files": after.file_count, "bytes": after.size_bytes, "queries": queries(lake)}
    found["sorted_bytes"] = sorted_bytes(lake, events, scratch)
    return found


def shape_of(care: DeltaTableCare) -> TableShape:
    """Return the table as it is."""
    shape = care.look(TENANT, PIPELINE, is_stopped=lambda: False)
    assert shape is not None, "nothing was archived"
    return shape


def markdown(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    before, after, raw = found["before"], found["after"], found["raw_bytes"]
    lines = [
        "# Care of the lake, measured",
        "",
        "Written by `python -m tests.bench.lake --write`. The S3 server and the queries ran on the same machine:",
        f"{found['machine']}, {found['at']}. {found['events']:,} events of {raw / found['events']:.0f} bytes of JSON",
        f"in {found['commits']} commits. The archive makes {COMMITS_PER_HOUR} in an hour, so {found['files_per_hour']}",
        "files of each date. Ids count up and one text repeats itself: random ids take more.",
        "",
        "| | before | after |",
        "|---|---|---|",
        f"| files | {before['files']:,} | {after['files']:,} |",
        f"| MB | {before['bytes'] / 1e6:,.1f} (Snappy) | {after['bytes'] / 1e6:,.1f} (ZSTD) |",
        f"| bytes per byte of JSON (gate 0.30, goal 0.15) | {before['bytes'] / raw:.3f} | {after['bytes'] / raw:.3f} |",
    ]
    lines += [
        f"| {name}, s | {before['queries'][name]:.2f} | {after['queries'][name]:.2f} |" for name in before["queries"]
    ]
    lines += ["", f"Merging took {found['care_seconds']:.1f} s, with the start of a process."]
    if found["sorted_bytes"] is not None:
        share = found["sorted_bytes"] / raw
        lines += [
            f"Sorted by `user_id` it would be {share:.3f} bytes per byte of JSON. The order of the rows would be",
            "another than the topic's, and merging would hold a date in memory: it is not done.",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print, and keep with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--commits", type=int, default=COMMITS_PER_HOUR)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack", ["s3"], migrate=False) as servers:
        os.environ.setdefault("JAVA_HOME", str(find_java(servers.settings.home).home))
        jars = JobSettings(jars_dir=str(jars_root(PROJECT_ROOT / ".sentinel") / "spark"), driver_memory="1g")
        settings = servers.settings.model_copy(update={"job": jars})
        spark = build_session(settings, app_name="lake", master="local[2]", extra={"spark.ui.enabled": "false"})
        found = measure(settings.lake, spark, chosen.events, chosen.commits, Path(scratch))
        spark.stop()
    print(markdown(found))
    if chosen.write:
        docs = PROJECT_ROOT / "docs"
        (docs / "lake-care.json").write_text(json.dumps(found, indent=2) + "\n")
        (docs / "lake-care.md").write_text(markdown(found))


if __name__ == "__main__":
    main()
