"""`make bench`: events/s drained, CPU per event and latency, beside a bare Spark job in the same run.

A run whose alerts differ from DuckDB's count is void and ends with an error. Results go to docs/performance.json and
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from confluent_kafka import Producer

from sentinel.catalog.rule_batch import RuleEntry
from sentinel.domain.pipeline import DetectMode
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import ServerSet, start_servers
from tests.bench.processes import usage
from tests.bench.report import write_report
from tests.bench.workload import FIELDS, Events, PreparedEvents, expected_alerts, make_events, make_rules
from tests.support.detection import Job, Workbench, definition

PARTITIONS = 4
# Where alerts are looked at: in the second minute of a driver, while its JVM still compiles, and in the fourth.
WINDOWS = ((60, 90), (180, 240))
ROUNDS = 3


@dataclass
class Drain:
    """Two backlogs drained by one job: the whole triple write, lake included.

    Attributes:
        cold_events_per_second: The first backlog, from the first serving generation on in a JVM just started.
        events: Size of the second backlog, which has come in while the pipeline was paused, after the first one.
        events_per_second: The second backlog, from the first commit on.
        archived_after_seconds: From the start of its generation until all of it was in the lake; the CPU figures are of
            this time: the whole triple write, whichever part of it is done when everything is decided.
    """

    mode: str
    rules: int
    cold_events_per_second: float
    events: int
    events_per_second: float
    archived_after_seconds: float
    cpu_microseconds_per_event: dict[str, float]
    rss_mib: dict[str, int]
    alerts: int


@dataclass
class Latency:
    """Scheduled send time to commit of the alert's row, milliseconds.

    Attributes:
        after_seconds: Of the flow, when the alerts that are looked at begin.
        seconds: How long they were looked at.
    """

    mode: str
    rules: int
    rate: int
    after_seconds: int
    seconds: int
    alerts: int
    p50: float
    p95: float
    p99: float
    max: float
    cpu_cores: dict[str, float] = field(default_factory=dict)


@dataclass
class Change:
    """A change of configuration while events flow.

    Attributes:
        seconds: From the request (of several at once: from their commit) to the commit of the new generation's borders.
        worst_ms: The latest alert on an event that was due within 5 s of the request, or a second of the borders.
        worst_before_ms: The latest alert in the 5 s before.
    """

    what: str
    rules: int
    rate: int
    seconds: float
    worst_ms: float
    worst_before_ms: float


class Bench:
    """One set of servers and the measurements on it.

    Args:
        master: Where drivers run their tasks; empty: in themselves.
        parts: More processes that take part: name -> pid of the root of a tree.
    """

    def __init__(
        self, servers: ServerSet, directory: Path, *, master: str = "", parts: Mapping[str, int] | None = None
    ) -> None:
        tenant = f"bench-{uuid.uuid4().hex[:8]}"
        ensure_tenant(servers.settings.postgres, tenant, "bench")
        self.servers = servers
        self.master = master
        self.parts = dict(parts or {})
        self.bench = Workbench(servers, tenant, directory, as_shipped=True)

    def pids(self, job: Job) -> dict[str, int]:
        """The roots of the process trees that are looked at."""
        names = {"PostgreSQL": "postgres", "Redis": "redis", "Kafka": "kafka", "S3": "s3"}
        return {part: self.servers.pid(name) for part, name in names.items()} | self.parts | {"driver": job.process.pid}

    def fill(self, events: Events, topic: str = "") -> str:
        """Put all events into a topic, a new one unless it is named."""
        topic = topic or self.bench.create_topic(PARTITIONS)
        self.bench.send(topic, events.encoded(0, np.zeros(len(events))))
        return topic

    def bare_spark(self, topic: str) -> dict[str, float]:
        """Drain the topic with bare Spark."""
        command = [sys.executable, "-m", "tests.bench.bare_spark", topic]
        command += [self.bench.settings.kafka.bootstrap_servers, str(self.bench.settings.jars_dir)]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bare Spark failed:\n{done.stderr[-3000:]}")
        result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return result

    def drain(self, cold: Events, events: Events, rules: dict[str, str], mode: DetectMode) -> Drain:
        """Drain two backlogs with a pipeline of these rules."""
        bench = self.bench
        first, second = expected_alerts(cold, rules), expected_alerts(events, rules)
        topic = self.fill(cold)
        pipeline_id = bench.create_pipeline(topic, rules, fields=FIELDS, mode=mode)
        with bench.job(pipeline_id, master=self.master, SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS="15") as job:
            cold_speed = self.drained(pipeline_id, job, len(cold))
            bench.wait_archived(pipeline_id, job, timeout=300)
            before_it = len(bench.generations(pipeline_id))
            bench.set_status(pipeline_id, "paused")
            self.fill(events, topic)
            bench.set_status(pipeline_id, "active")
            bench.wait_until("it goes on", lambda: len(bench.generations(pipeline_id)) > before_it, job)
            began, before = time.monotonic(), usage(self.pids(job))
            warm_speed = self.drained(pipeline_id, job, len(cold) + len(events))
            bench.wait_archived(pipeline_id, job, timeout=300)
            after, archived = usage(self.pids(job)), time.monotonic()
        right = dict(Counter(first) + Counter(second))
        check_alerts(bench.alerts_by_rule(pipeline_id), right)
        return Drain(
            mode=str(mode),
            rules=len(rules),
            cold_events_per_second=cold_speed,
            events=len(events),
            events_per_second=warm_speed,
            archived_after_seconds=archived - began,
            cpu_microseconds_per_event={k: v / len(events) * 1e6 for k, v in after.since(before).items()},
            rss_mib={part: size // 2**20 for part, size in after.rss_bytes.items()},
            alerts=sum(right.values()),
        )

    def drained(self, pipeline_id: int, job: Job, count: int) -> float:
        """Wait until so many offsets are decided; return events/s, from the newest generation's first commit on."""
        bench = self.bench
        bench.wait_until(
            "a generation serves",
            lambda: [each["state"] for each in bench.generations(pipeline_id)][-1:] == ["active"],
            job,
        )
        done, began = sum(bench.decided(pipeline_id).values()), time.monotonic()
        while (decided := sum(bench.decided(pipeline_id).values())) < count:
            time.sleep(0.02)
            if job.process.poll() is not None:
                raise SystemExit(f"the job ended:\n{job.tail()}")
        return (decided - done) / (time.monotonic() - began)

    def add_rule(self, pipeline_id: int) -> float:
        """Add a rule; return the time of the request."""
        asked = time.time()
        self.bench.add_rule(pipeline_id, f"added at {asked}", "amount < 0")
        return asked

    def add_field(self, pipeline_id: int) -> float:
        """Add a field; return the time of the request."""
        asked = time.time()
        with self.bench.backend.unit(self.bench.tenant_id, "bench") as unit:
            count = unit.schemas.get(pipeline_id).version
            added = [{"name": f"added_{number}", "type": "string"} for number in range(count)]
            fields = [definition(each) for each in [*FIELDS, *added]]
            unit.schemas.put(pipeline_id, fields, expected_version=None, confirm=None)
        return asked

    def change_rules(self, pipeline_id: int) -> float:
        """Write a new version of every rule, with the same matches, at once; return the time of the commit."""
        with self.bench.backend.unit(self.bench.tenant_id, "bench") as unit:
            entries = [
                RuleEntry(
                    rule.id,
                    f"{rule.current.condition} AND amount > -1",
                    rule.current.severity,
                    rule.current.description,
                )
                for rule in unit.rules.list(pipeline_id)
            ]
            unit.rule_batch.write(pipeline_id, entries)
        return time.time()

    def changes(
        self, rules: dict[str, str], rate: int, steps: Sequence[tuple[str, Callable[[int], float]]], *, first: int
    ) -> list[Change]:
        """Change something while events flow at a fixed rate, one step after the other.

        Args:
            first: Seconds of flow before the first step.
        """
        bench, pause = self.bench, 20
        topic = bench.create_topic(PARTITIONS)
        events = make_events(rate * (first + len(steps) * pause), seed=rate + 1)
        right, prepared = expected_alerts(events, rules), PreparedEvents.of(events)
        pipeline_id = bench.create_pipeline(topic, rules, fields=FIELDS)
        asked: list[float] = []
        with bench.job(pipeline_id, SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS="15") as job:
            bench.wait_generation(pipeline_id, job)
            began = time.time()
            sender = threading.Thread(target=self.send_at_rate, args=(topic, prepared, rate, began))
            sender.start()
            time.sleep(first)
            for _, step in steps:
                asked.append(step(pipeline_id))
                time.sleep(max(0.0, asked[-1] + pause - time.time()))
            sender.join()
            bench.wait_decided(pipeline_id, topic, job)
            generations = [
                row for row in bench.generations(pipeline_id, "active", "retired") if row["reason"] != "driver start"
            ]
        check_alerts(bench.alerts_by_rule(pipeline_id), right)
        found = []
        for (what, _), at, generation in zip(steps, asked, generations, strict=True):
            in_force = generation["activated_at"].timestamp()
            found.append(
                Change(
                    what,
                    len(rules),
                    rate,
                    in_force - at,
                    self.worst_latency(pipeline_id, at, max(at + 5, in_force + 1)),
                    self.worst_latency(pipeline_id, at - 5, at),
                )
            )
        return found

    def worst_latency(self, pipeline_id: int, start: float, end: float) -> float:
        """The latest alert on events due in an interval, in milliseconds."""
        rows = self.bench.query(
            "SELECT max(1000 * (extract(epoch FROM pg_xact_commit_timestamp(xmin))"
            " - (transaction_data->>'sent_at')::numeric)) AS ms FROM sentinel.alerts"
            " WHERE pipeline_id = %s AND (transaction_data->>'sent_at')::numeric BETWEEN %s AND %s",
            pipeline_id,
            start,
            end,
        )
        return float(rows[0]["ms"] or 0)

    def latency(self, rules: dict[str, str], rate: int, mode: DetectMode) -> list[Latency]:
        """Send at a fixed rate and read the commit times of the alerts, in each window of time."""
        bench, seconds = self.bench, WINDOWS[-1][1]
        topic = bench.create_topic(PARTITIONS)
        events = make_events(rate * seconds, seed=rate)
        right, prepared = expected_alerts(events, rules), PreparedEvents.of(events)
        pipeline_id = bench.create_pipeline(topic, rules, fields=FIELDS, mode=mode)
        cores: list[dict[str, float]] = []
        with bench.job(pipeline_id, SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS="15") as job:
            bench.send(topic, [])
            bench.wait_until("the driver runs", lambda: bool(bench.generations(pipeline_id)), job)
            time.sleep(5)
            began = time.time()
            sender = threading.Thread(target=self.send_at_rate, args=(topic, prepared, rate, began))
            sender.start()
            for begin, end in WINDOWS:
                time.sleep(max(0.0, began + begin - time.time()))
                before = usage(self.pids(job))
                time.sleep(max(0.0, began + end - time.time()))
                spent = usage(self.pids(job)).since(before)
                cores.append({part: value / (end - begin) for part, value in spent.items()})
            sender.join()
            bench.wait_decided(pipeline_id, topic, job)
        check_alerts(bench.alerts_by_rule(pipeline_id), right)
        found = []
        for (begin, end), used in zip(WINDOWS, cores, strict=True):
            ms = self._latencies(pipeline_id, began + begin, began + end)
            p50, p95, p99, worst = np.percentile(ms, [50, 95, 99, 100])
            found.append(Latency(str(mode), len(rules), rate, begin, end - begin, len(ms), p50, p95, p99, worst, used))
        return found

    def _latencies(self, pipeline_id: int, begin: float, end: float) -> list[float]:
        rows = self.bench.query(
            "SELECT 1000 * (extract(epoch FROM pg_xact_commit_timestamp(xmin))"
            " - (transaction_data->>'sent_at')::numeric) AS ms FROM sentinel.alerts"
            " WHERE pipeline_id = %s AND (transaction_data->>'sent_at')::numeric BETWEEN %s AND %s",
            pipeline_id,
            begin,
            end,
        )
        return [float(row["ms"]) for row in rows]

    def send_at_rate(self, topic: str, events: Events | PreparedEvents, rate: int, began: float) -> None:
        """Open loop: event i is due at began + i / rate and carries that time, whenever it really leaves."""
        producer = Producer({"bootstrap.servers": self.bench.settings.kafka.bootstrap_servers, "linger.ms": 5})
        sent = 0
        while sent < len(events):
            due = min(len(events), int((time.time() - began) * rate))
            if due > sent:
                times = began + np.arange(sent, due) / rate
                for number, value in enumerate(events.encoded(sent, times), start=sent):
                    producer.produce(topic, value, partition=number % PARTITIONS)
                sent = due
            producer.poll(0)
            time.sleep(0.001)
        producer.flush(60)


def check_alerts(found: dict[str, int], right: dict[str, int]) -> None:
    """End with an error when the alerts are not the right ones."""
    if found != right:
        differing = {
            name: (found.get(name), right.get(name)) for name in found | right if found.get(name) != right.get(name)
        }
        raise SystemExit(f"void: alerts differ from DuckDB's (found, right): {differing}")


def main() -> None:
    """Run all measurements and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--cold-events", type=int, default=200_000)
    parser.add_argument("--rules", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--rates", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--modes", nargs="+", default=["realtime", "microbatch"])
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT / "docs")
    chosen = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        bench = Bench(servers, Path(scratch))
        events, cold = make_events(chosen.events), make_events(chosen.cold_events, seed=2)
        topic = bench.fill(events)
        bare = [bench.bare_spark(topic)]
        drains = []
        for count in chosen.rules:
            drains.append(bench.drain(cold, events, make_rules(count), DetectMode.REALTIME))
            print(f"{drains[-1].rules} rules: {drains[-1].events_per_second:,.0f} events/s", file=sys.stderr)
        if "microbatch" in chosen.modes:
            drains.append(bench.drain(cold, events, make_rules(100), DetectMode.MICROBATCH))
        bare.append(bench.bare_spark(topic))
        latencies = []
        for mode in chosen.modes:
            for rate in chosen.rates:
                latencies += bench.latency(make_rules(100), rate, DetectMode(mode))
                print(f"{mode} {rate}/s: p50 {latencies[-1].p50:.1f} p99 {latencies[-1].p99:.1f} ms", file=sys.stderr)
        steps = [("a rule", bench.add_rule), ("a field", bench.add_field)]
        changes = bench.changes(make_rules(100), 2_000, ROUNDS * steps, first=120)
        most = max(chosen.rules)
        changes += bench.changes(make_rules(most), 1_000, ROUNDS * [(f"{most} rules", bench.change_rules)], first=180)
        results = {
            "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
            "bare_spark": bare,
            "drains": [asdict(drain) for drain in drains],
            "latencies": [asdict(latency) for latency in latencies],
            "changes": [asdict(change) for change in changes],
        }
        write_report(results, chosen.output)


if __name__ == "__main__":
    main()
