"""`python -m tests.bench.soak [--rate 5000] [--minutes 60]`: does anything grow that should not?

A pipeline of 100 rules under a steady flow, with rule and schema changes in it and the archive beside it. Every ten
seconds memory, files, logs and checkpoints are written down; at the end each has a slope, by least squares over what
comes after the first third. The alerts must equal DuckDB's and `sentinel reconcile` must find nothing lost and nothing
doubled, or the run is void.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sentinel.localstack.s3_client import s3_client
from sentinel.testing.servers import start_servers
from tests.bench.detection import PARTITIONS, Bench, check_alerts
from tests.bench.processes import usage
from tests.bench.soak_report import Series, write_soak
from tests.bench.workload import FIELDS, PreparedEvents, expected_alerts, make_events, make_rules
from tests.support.detection import Job, definition

PART_SECONDS, PARTS = 30, 4
LOOK_SECONDS = 10.0
BUCKET = "sentinel"


@dataclass
class Soak:
    """One run.

    Attributes:
        changes: Seconds into the run, what was changed, and the seconds until it was in force.
        latency_ms: p50, p95, p99 and maximum from scheduled send time to the commit of the alert's row.
        by_minute: The 95th percentile of each minute.
        series: What was looked at over time.
    """

    rate: int
    seconds: int
    events: int
    alerts: int
    rules: int
    changes: list[tuple[float, str, float]] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    by_minute: list[float] = field(default_factory=list)
    series: Series = field(default_factory=Series)


class Feed:
    """The events of the run: a few parts, made and judged before it, that are sent again and again under new ids."""

    def __init__(self, rate: int, seconds: int, rules: dict[str, str]) -> None:
        spans = [min(PART_SECONDS, seconds - begin) for begin in range(0, seconds, PART_SECONDS)]
        self.right: Counter[str] = Counter()
        self._parts: list[tuple[int, PreparedEvents]] = []
        known: dict[tuple[int, int], tuple[PreparedEvents, dict[str, int]]] = {}
        for number, span in enumerate(spans):
            which = number % PARTS, span
            if which not in known:
                events = make_events(rate * span, seed=1000 + which[0])
                known[which] = PreparedEvents.of(events), expected_alerts(events, rules)
            prepared, right = known[which]
            self._parts.append((number, prepared))
            self.right.update(right)

    def __iter__(self) -> Iterator[PreparedEvents]:
        return (prepared.again(number) for number, prepared in self._parts)


class Watch(threading.Thread):
    """Writes down what may grow."""

    def __init__(self, bench: Bench, job: Job, pipeline_id: int, series: Series) -> None:
        super().__init__(name="watch", daemon=True)
        self._bench = bench
        self._job = job
        self._pipeline_id = pipeline_id
        self._series = series
        self._s3 = s3_client(bench.bench.settings.lake)
        self._began = time.monotonic()
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.ended.wait(LOOK_SECONDS):
            self._series.add(time.monotonic() - self._began, self._look())

    def _look(self) -> dict[str, float]:
        bench = self._bench.bench
        found = {
            f"{part} RSS, MiB": size / 2**20 for part, size in usage(self._bench.pids(self._job)).rss_bytes.items()
        }
        checkpoints = [path for path in (bench.directory / "checkpoints").rglob("*") if path.is_file()]
        found["checkpoint files"] = len(checkpoints)
        found["checkpoints, MiB"] = sum(_size(path) for path in checkpoints) / 2**20
        found["driver's log, MiB"] = _size(self._job.log) / 2**20
        found["archive behind, events"] = sum(bench.decided(self._pipeline_id).values()) - sum(
            bench.archived(self._pipeline_id).values()
        )
        found["lake files"] = self._lake_files()
        return found

    def _lake_files(self) -> int:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return sum(item["Key"].endswith(".parquet") for page in pages for item in page.get("Contents", []))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def run(bench: Bench, rate: int, seconds: int, rule_changes: int, schema_changes: int, *, log: Path | None) -> Soak:
    """Run one soak.

    Args:
        log: Where the driver's log is kept.
    """
    work = bench.bench
    rules = make_rules(100)
    topic = work.create_topic(PARTITIONS)
    pipeline_id = work.create_pipeline(topic, rules, fields=FIELDS)
    feed = Feed(rate, seconds, rules)
    soak = Soak(rate, seconds, rate * seconds, 0, len(rules))
    plan = _plan(seconds, rule_changes, schema_changes)
    with ExitStack() as stack:
        # The archive as it is shipped; batches shorter than the time between changes, so that their borders are in it.
        options = {"SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS": "15", "SENTINEL_JOB__REALTIME_BATCH_MINUTES": "4"}
        job = stack.enter_context(work.job(pipeline_id, **options))
        if log:
            stack.callback(lambda: shutil.copy(job.log, log))
        work.wait_generation(pipeline_id, job)
        watch = Watch(bench, job, pipeline_id, soak.series)
        watch.start()
        began = time.time()
        changer = threading.Thread(target=_change, args=(bench, pipeline_id, plan, began, soak), daemon=True)
        changer.start()
        sent = 0
        for events in feed:
            bench.send_at_rate(topic, events, rate, began + sent / rate)
            sent += len(events)
            print(f"{sent / rate:.0f} s, {sent:,} events", file=sys.stderr, flush=True)
        changer.join()
        work.wait_decided(pipeline_id, topic, job)
        work.wait_archived(pipeline_id, job)
        watch.ended.set()
        watch.join()
    check_alerts(work.alerts_by_rule(pipeline_id), dict(feed.right))
    print(work.command("reconcile", str(pipeline_id)), file=sys.stderr)
    soak.alerts = sum(feed.right.values())
    _read_latency(bench, pipeline_id, began, soak)
    return soak


def _plan(seconds: int, rule_changes: int, schema_changes: int) -> list[tuple[float, str]]:
    """Return when what is changed: evenly, from the first tenth to the last."""
    span = 0.8 * seconds
    rules = [(0.1 * seconds + span * (number + 0.5) / rule_changes, "rule") for number in range(rule_changes)]
    fields = [(0.1 * seconds + span * (number + 1) / (schema_changes + 1), "field") for number in range(schema_changes)]
    return sorted(rules + fields)


def _change(bench: Bench, pipeline_id: int, plan: list[tuple[float, str]], began: float, soak: Soak) -> None:
    """Change rules and schema as planned; none of it matches an event, so what is right stays what it is."""
    work = bench.bench
    added: list[dict[str, str]] = []
    for number, (at, what) in enumerate(plan):
        time.sleep(max(0.0, began + at - time.time()))
        before = len(work.generations(pipeline_id, "active", "retired"))
        asked = time.time()
        if what == "rule":
            work.add_rule(pipeline_id, f"added {number}", f"amount < -{number + 1}")
        else:
            added.append({"name": f"added_{number}", "type": "string"})
            with work.backend.unit(work.tenant_id, "bench") as unit:
                fields = [definition(each) for each in [*FIELDS, *added]]
                unit.schemas.put(pipeline_id, fields, expected_version=None, confirm=None)
        work.wait_until(
            "the change is in force",
            lambda: len(work.generations(pipeline_id, "active", "retired")) > before,  # noqa: B023
        )
        in_force = work.generations(pipeline_id, "active", "retired")[-1]["activated_at"].timestamp()
        soak.changes.append((at, what, in_force - asked))


def _read_latency(bench: Bench, pipeline_id: int, began: float, soak: Soak) -> None:
    rows = bench.bench.query(
        "SELECT sent, 1000 * (committed - sent) AS ms FROM (SELECT (transaction_data->>'sent_at')::float8 AS sent,"
        " extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS committed"
        " FROM sentinel.alerts WHERE pipeline_id = %s) AS alerts",
        pipeline_id,
    )
    minute = np.array([int((row["sent"] - began) // 60) for row in rows])
    ms = np.array([row["ms"] for row in rows])
    # The first minute is that of a JVM just started.
    warm = ms[minute >= 1] if soak.seconds > 90 else ms
    soak.latency_ms = [float(value) for value in np.percentile(warm, [50, 95, 99, 100])]
    soak.by_minute = [float(np.percentile(ms[minute == number], 95)) for number in sorted(set(minute.tolist()))]


def main() -> None:
    """Run, print and perhaps write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rule-changes", type=int, default=20)
    parser.add_argument("--schema-changes", type=int, default=5)
    parser.add_argument("--write", type=Path, help="write there, e.g. docs/soak.json, and a table beside it")
    parser.add_argument("--log", type=Path, help="keep the driver's log there")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        bench = Bench(servers, Path(scratch))
        seconds = round(60 * options.minutes)
        soak = run(bench, options.rate, seconds, options.rule_changes, options.schema_changes, log=options.log)
    results = {"machine": {"cpus": os.cpu_count(), "platform": platform.platform()}, **asdict(soak)}
    if options.write:
        options.write.write_text(json.dumps(results, indent=1) + "\n")
    write_soak(results, options.write.with_suffix(".md") if options.write else None)


if __name__ == "__main__":
    main()
